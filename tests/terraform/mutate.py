"""How many of the mistakes the mocked tests notice: PYTHONPATH=tests python -m terraform.mutate.

Each is made in a copy of its own. It is caught when a value or an order differs from the committed
one, when an assertion of unit.tftest.hcl fails, or when one of our own rules refuses it. Where
Terraform itself cannot make sense of the text, or does not end, the mutation is broken: it tells
nothing about the tests.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from terraform.mutations import MUTATIONS, Mutation
from terraform.runner import Terraform, copied

from terraform import golden, mocked, specification

# What Terraform calls the answers of rules and assertions that are written in terraform/.
OURS = {
    "Check block assertion failed",
    "Invalid value for variable",
    "Missing expected failure",
    "Resource precondition failed",
    "Test assertion failed",
}


class Verdict(StrEnum):
    """What became of a mistake."""

    CAUGHT = "caught"
    PASSED = "PASSED"
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A verdict, and the first thing that was said."""

    verdict: Verdict
    why: str = ""


def tried(prepared: Terraform, mutation: Mutation, place: Path) -> Outcome:
    """Make the mistake in a copy under the place, and see what notices it first."""
    terraform = Terraform(copied(place))
    (terraform.root / ".terraform").symlink_to(prepared.root / ".terraform")
    (terraform.root / ".terraform.lock.hcl").write_bytes(
        (prepared.root / ".terraform.lock.hcl").read_bytes()
    )
    file = terraform.root / mutation.file
    file.write_text(file.read_text().replace(mutation.old, mutation.new, 1))
    try:
        told = next(_differences(terraform), "")
    except mocked.RefusedError as refused:
        return judged(refused.diagnostics)
    return Outcome(verdict=Verdict.CAUGHT if told else Verdict.PASSED, why=told)


def _differences(terraform: Terraform) -> Iterator[str]:
    yield from golden.differences(mocked.apply(terraform, golden.EVERYTHING))
    # What everything.tfvars sets hides a default: it shows without.
    yield from specification.differences(mocked.apply(terraform, mocked.DEFAULTS))
    mocked.run(terraform, "tests/unit.tftest.hcl")


def judged(errors: list[mocked.Json]) -> Outcome:
    """Tell what our own rules say from what Terraform says of text that it cannot use."""
    for error in errors:
        if error["summary"] not in OURS:
            return Outcome(verdict=Verdict.BROKEN, why=_sentence(error))
    if not errors:
        return Outcome(verdict=Verdict.BROKEN, why="Terraform said nothing: it ran out of time")
    return Outcome(verdict=Verdict.CAUGHT, why=_sentence(errors[0]))


def _sentence(error: mocked.Json) -> str:
    return f"{error['summary']}: {error.get('detail', '')}"


def main() -> int:
    """Try all, or those whose names hold each argument; print one line each, and the sum."""
    chosen = [each for each in MUTATIONS if all(word in each.what for word in sys.argv[1:])]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(os.cpu_count()) as workers:
        prepared = Terraform(copied(Path(place, "prepared")))
        started = prepared.init(".", "-backend=false")
        assert started.returncode == 0, started.stderr
        folders = [Path(place, str(number)) for number in range(len(chosen))]
        caught = 0
        outcomes = workers.map(tried, [prepared] * len(chosen), chosen, folders)
        for mutation, outcome in zip(chosen, outcomes, strict=True):
            caught += outcome.verdict is Verdict.CAUGHT
            why = json.dumps(outcome.why[:200], ensure_ascii=False)
            print(f"{outcome.verdict}  {mutation.what}: {why}", flush=True)
    print(f"{caught} of {len(chosen)} caught, {time.monotonic() - began:.0f} s")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
