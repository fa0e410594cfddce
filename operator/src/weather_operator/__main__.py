"""The way in, which is short: most of a start is imports, and nobody leads meanwhile."""

import gc
import importlib.util
import signal
import sys

# The first process of a container takes no notice of a signal that it has no handler for.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

# Nothing that is imported is ever garbage, so it is not looked through, now or later.
gc.disable()

# Only the asynchronous half of the client is used: the package's own `__init__` would import the
# synchronous one too, and kopf would, to know its models.
if _kubernetes := importlib.util.find_spec("kubernetes"):
    sys.modules["kubernetes"] = importlib.util.module_from_spec(_kubernetes)
sys.modules["kubernetes.client"] = None  # type: ignore[assignment] # means: cannot be imported

from weather_operator.cli import main  # noqa: E402 (what is above is for its sake)

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
