"""A plan that fails, made smaller while it still does."""

import time
from collections.abc import Callable
from dataclasses import replace

from campaign.plans import Plan


def minimised(plan: Plan, still_fails: Callable[[Plan], bool], *, seconds: float) -> Plan:
    """Drop steps, first many and then single ones, until none can go or the time is over."""
    deadline = time.monotonic() + seconds
    size = max(len(plan.steps) // 2, 1)
    while size:
        start, has_shrunk = 0, False
        while start < len(plan.steps):
            if time.monotonic() > deadline:
                return plan
            fewer = replace(plan, steps=plan.steps[:start] + plan.steps[start + size :])
            if fewer.steps and still_fails(fewer):
                plan, has_shrunk = fewer, True
            else:
                start += size
        if not has_shrunk or size > 1:
            size //= 2
    return plan
