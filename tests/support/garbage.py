"""Answers that a provider should not give, for property tests."""

import copy
from typing import Any

from hypothesis import strategies as st

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)


@st.composite
def mutated(draw: st.DrawFn, answer: Any) -> Any:
    """A copy of the answer in which up to four values, at any depth, are gone or something else."""
    answer = copy.deepcopy(answer)
    for _ in range(draw(st.integers(0, 4))):
        _mutate(draw, answer)
    return answer


def _mutate(draw: st.DrawFn, value: Any) -> None:
    while isinstance(value, dict | list) and value:
        key: Any = (
            draw(st.sampled_from(sorted(value)))
            if isinstance(value, dict)
            else draw(st.integers(0, len(value) - 1))
        )
        if not isinstance(value[key], dict | list) or draw(st.integers(0, 3)) == 0:
            if draw(st.booleans()):
                del value[key]
            else:
                value[key] = draw(JSON)
            return
        value = value[key]
