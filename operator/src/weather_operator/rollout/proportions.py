"""What a number of cases says about a proportion: how far chance alone may have moved it.

Wilson's score interval keeps its level for few cases, and for proportions near 0 and 1, where the
usual one that is made from a standard deviation does not. Newcombe's interval for the difference of
two proportions is made of two of Wilson's.

E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209–212;
R. G. Newcombe, Statistics in Medicine 17 (1998) 873–890, method 10.
"""

import math

Z_ONE_SIDED = 2.326
"""Chance alone passes a bound that this was used for in 1 of 100 cases, on one side."""

SHARE_REQUESTS = 100
"""Of fewer requests a share is not judged."""

SHARE_SAMPLE = 1000
"""Of so many of the newest requests it is, or of those of one interval where there are more."""

SHARE_CHANCE = 0.0005
"""What chance alone makes of it less often than this, on either side, is another share."""

SHARE_TOLERANCE = 0.25
"""By what part of it a share may differ from its weight: some visitors come past the router."""


def wilson_interval(successes: float, total: float, *, z: float) -> tuple[float, float]:
    """Return between which proportions, from 0 to 1, the true one lies; 0 cases say nothing."""
    if total <= 0:
        return 0.0, 1.0
    found, spread = successes / total, z * z / total
    middle = found + spread / 2
    width = z * math.sqrt(found * (1 - found) / total + spread / (4 * total))
    low, high = (middle - width) / (1 + spread), (middle + width) / (1 + spread)
    return max(low, 0.0), min(high, 1.0)


def least_difference(
    higher: tuple[float, float], lower: tuple[float, float], *, z: float = Z_ONE_SIDED
) -> float:
    """Return by how much the first proportion is above the second at least, from -1 to 1.

    Each is given as successes and cases. This is the bound of a one-sided test: chance alone gives
    more than the true difference in 1 of 100 cases.
    """
    if not (higher[1] > 0 and lower[1] > 0):
        return -1.0
    first, second = higher[0] / higher[1], lower[0] / lower[1]
    first_low, _ = wilson_interval(*higher, z=z)
    _, second_high = wilson_interval(*lower, z=z)
    return first - second - math.hypot(first - first_low, second_high - second)


def pooled_share(
    before: tuple[float | None, int], share: float, requests: int
) -> tuple[float, int]:
    """Return a share and of how many requests it is, once those of another interval are known.

    Where the sample is full the older ones count for less, so that chance moves it no further than
    it moves a sample of that size, and what was amended meanwhile is seen.
    """
    known, number = before
    if known is None or not number:
        return share, requests
    kept = min(number, max(SHARE_SAMPLE - requests, 0))
    total = kept + requests
    return round((known * kept + share * requests) / total, 2), total


def is_share_as_set(weight: float, share: float | None, requests: int) -> bool | None:
    """Tell whether an observed share of the requests is about what a weight gives.

    Both are in percent. None where nothing can be said: the share is not known, or of too few
    requests. That it differs by chance alone happens in less than 1 of 1,000 cases.
    """
    if share is None or requests < SHARE_REQUESTS:
        return None
    seen, wanted = round(requests * share / 100), weight / 100
    low, high = wanted * (1 - SHARE_TOLERANCE), wanted * (1 + SHARE_TOLERANCE)
    if seen > high * requests:
        return chance_of_at_least(seen, requests, high) >= SHARE_CHANCE
    if seen < low * requests:
        return chance_of_at_least(requests - seen, requests, 1 - low) >= SHARE_CHANCE
    return True


def chance_of_at_least(cases: int, total: int, proportion: float) -> float:
    """Return how probable so many cases are where more than the expected number came.

    The upper tail of the binomial distribution, summed from its greatest term on.
    """
    if not 0 < proportion < 1:
        return float(proportion >= 1)
    ways = math.lgamma(total + 1) - math.lgamma(cases + 1) - math.lgamma(total - cases + 1)
    odds = proportion / (1 - proportion)
    term = math.exp(ways + cases * math.log(proportion) + (total - cases) * math.log1p(-proportion))
    chance = 0.0
    while term > chance * 1e-9:
        chance += term
        term *= (total - cases) / (cases + 1) * odds
        cases += 1
    return chance
