"""What an analysis has found: where the verdicts meet what is decided from them.

Whoever analyses an app is asked for the newest complete interval of it in every pass, and the
interval comes into the `Observed` as it is. Here are values only; nothing is read or measured.
"""

from dataclasses import dataclass
from enum import StrEnum

from weather_operator.model import WeatherApp
from weather_operator.model.strategies import Analysis


class Verdict(StrEnum):
    """How a check came out. Unknown is no evidence, neither for a revision nor against it."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How one check of the app's analysis came out in one interval.

    `value` is what was measured and `threshold` the bound it was held against, in the unit of the
    check: percent, milliseconds, or whatever a query gives; None where there is none to tell.
    """

    name: str
    verdict: Verdict
    value: float | None = None
    threshold: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The newest complete interval of the analysis of one app.

    It began after the trial of `revision` had come to `step` and, `since` then, its weight had been
    taken up; it lies in that whole. `since` is empty while the weight is not. `number` rises
    within one life of the analysis, which `epoch` names: another process has another one, and
    begins anew to count. So no interval is ever counted twice. At step 0, where the revision has no
    visitors, `results` has the probes alone, later every check. `share` is the percentage of
    the visitors' requests that the revision's pods have answered, of `requests` at all pods
    together; None where that could not be counted.
    """

    epoch: str
    number: int
    revision: str
    step: int
    results: tuple[CheckResult, ...]
    since: str = ""
    share: float | None = None
    requests: int = 0

    @property
    def verdict(self) -> Verdict:
        """What it comes to: one failed check fails it, and it passes where all have passed."""
        verdicts = {each.verdict for each in self.results}
        if Verdict.FAILED in verdicts:
            return Verdict.FAILED
        return Verdict.PASSED if verdicts == {Verdict.PASSED} else Verdict.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisTarget:
    """What is to be analysed: this revision beside the one that serves, at this step.

    It is judged by `analysis`. `since` is when the step's weight was taken up, empty before: what
    is measured in one does not speak for the other.
    """

    app: WeatherApp
    analysis: Analysis
    revision: str
    step: int
    since: str = ""
