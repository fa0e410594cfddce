"""Who analyses apps in which a revision is tried, as the reconciler sees them."""

from typing import Protocol

from weather_operator.kube.resources import Key
from weather_operator.rollout.interval import AnalysisTarget, Interval


class Analyst(Protocol):
    """Measures, and is asked what it has found; none of its methods waits for anything.

    The reconciler calls `watch` at the end of every pass in which a revision is tried, always with
    the same trial until the revision, the step or its analysis is another one, and `forget` once
    none is or the app is gone. While a trial is watched its pass comes again at least once an
    interval; whoever has an interval complete may enqueue the app's key before.
    """

    def watch(self, trial: AnalysisTarget) -> None:
        """Analyse this trial from now on, in place of any former one of the same app."""

    def forget(self, key: Key) -> None:
        """Analyse an app no longer. Nothing happens where none was watched."""

    def latest(self, key: Key) -> Interval | None:
        """Return the newest complete interval of the trial that is watched, None before."""
