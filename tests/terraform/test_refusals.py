"""Every mistake is refused before anything is made, in one sentence that says what to write."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
from terraform.runner import SOURCE, Terraform

RULES = ("variables.tf", "known.tf", "blocks.tf")
RUNS = re.findall(
    r'^run "(\w+)" {\n([\s\S]*?)\n  expect_failures = \[(\S+)\]\n}$',
    (SOURCE / "tests/refusals.tftest.hcl").read_text(),
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def said(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each run of the committed file is told, by rules alone: they need no provider."""
    alone = Terraform(tmp_path_factory.mktemp("rules"))
    (alone.root / "tests").mkdir()
    for name in RULES:
        (alone.root / name).write_text((SOURCE / name).read_text())
    for name, body, _ in RUNS:
        (alone.root / f"tests/{name}.tftest.hcl").write_text(f'run "{name}" {{\n{body}}}\n')
    alone.do(".", "init")
    found = defaultdict(list)
    for line in alone.run(".", "test", "-json").stdout.splitlines():
        message = json.loads(line)
        if message["type"] == "diagnostic":
            found[message["@testrun"]].append(_told(message["diagnostic"]))
    return found


@pytest.mark.parametrize(("name", "refusing"), [(name, where) for name, _, where in RUNS])
def test_one_mistake_is_told_of_in_one_sentence(
    said: dict[str, list[str]], name: str, refusing: str
) -> None:
    [(sentence, where)] = [told.rsplit(" @ ", 1) for told in said[name]]
    assert re.fullmatch(r"(Write|Set) .*\.", sentence)
    if refusing.startswith("var."):
        assert re.search(rf"\b{refusing.removeprefix('var.')}\b", sentence)
    assert _owner(where) == refusing


def test_no_rule_is_left_out(said: dict[str, list[str]]) -> None:
    seen = {told.rsplit(" @ ", 1)[1] for all_told in said.values() for told in all_told}
    written = {
        f"{name}:{number}"
        for name in RULES
        for number, line in enumerate((SOURCE / name).read_text().splitlines(), 1)
        if line.strip() in ("validation {", "precondition {")
    }
    assert len(written) > 50
    assert seen == written


def _told(diagnostic: dict[str, object]) -> str:
    """Name the sentence, and the line of the rule that it comes from."""
    detail, _, rule = str(diagnostic["detail"]).partition("\n\nThis was checked by the validation")
    if rule:
        where = re.findall(r"(\S+:\d+),", rule)[0]
    else:
        place = diagnostic["range"]
        assert isinstance(place, dict)
        # A precondition's condition is the line after its beginning.
        where = f"{place['filename']}:{place['start']['line'] - 1}"
    return f"{detail} @ {where}"


def _owner(where: str) -> str:
    """Name the variable or resource whose block holds the line."""
    name, _, line = where.partition(":")
    above = Path(SOURCE, name).read_text().splitlines()[: int(line)]
    opened = [each for each in above if re.match(r"(variable|resource) ", each)][-1]
    names = re.findall(r'"([^"]+)"', opened)
    return f"var.{names[0]}" if opened.startswith("variable") else ".".join(names)
