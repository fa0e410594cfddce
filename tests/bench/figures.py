"""What was measured, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: a name, what was measured, and its unit. A case is a column of its own."""

    name: str
    values: Sequence[float]
    unit: str
    case: str = ""

    @property
    def shown(self) -> str:
        """The value, or the median with the range and the number of runs."""
        if len(self.values) == 1:
            return _short(self.values[0])
        low, high = _short(min(self.values)), _short(max(self.values))
        return f"{_short(median(self.values))}  ({low} to {high}, n={len(self.values)})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
