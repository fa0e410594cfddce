"""Processes that were started here, watched without threads, also when we are PID 1."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


class StopRequested(Exception):  # noqa: N818 - not an error: somebody wants us to stop
    """SIGTERM or SIGINT arrived."""


class ChildEnded(Exception):  # noqa: N818 - not always an error: the code tells
    """A process ended that should have gone on; `code` is as a shell gives it."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} ended with code {code}")
        self.name = name
        self.code = code


class Children:
    """Our processes by name; whatever else falls to us because we are PID 1 is reaped in passing.

    Signals are taken one at a time and only in `wait`, so nothing here can be interrupted.
    """

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self._names: dict[int, str] = {}
        self._groups: list[int] = []
        self._expected: set[str] = set()

    def start(self, name: str, command: list[str]) -> None:
        """Start a process that must not end before `stop` was called for it."""
        pid = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE],
        )
        self._names[pid] = name
        self._groups.append(pid)

    def runs(self, name: str) -> bool:
        """Whether this process is there."""
        return name in self._names.values()

    def signal(self, name: str, number: int) -> None:
        """Send a signal to this process, if it is there."""
        for pid, known in self._names.items():
            if known == name:
                os.kill(pid, number)

    def stop(self, name: str, number: int, seconds: float) -> None:
        """Ask this process to end, wait, and kill it when it takes longer than this."""
        self._expected.add(name)
        for attempt in (number, signal.SIGKILL):
            self.signal(name, attempt)
            if self.wait(lambda: not self.runs(name), seconds):
                return

    def kill(self) -> None:
        """End all at once, with the processes that they started."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def wait(self, done: Callable[[], bool], seconds: float, every: float = 0.02) -> bool:
        """Return whether it was done within these seconds, looking as often as this.

        Raises ChildEnded, StopRequested.
        """
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            arrived = signal.sigtimedwait(WATCHED, min(left, every))
            self._reap()
            if arrived and arrived.si_signo != signal.SIGCHLD:
                raise StopRequested
        return True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            name = self._names.pop(pid, None)
            if name and name not in self._expected:
                code = os.waitstatus_to_exitcode(status)
                raise ChildEnded(name, code if code >= 0 else 128 - code)
