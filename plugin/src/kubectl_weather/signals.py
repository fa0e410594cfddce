"""What asks a command to end."""

import signal

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that this system has of these: Windows knows no hang-up."""
