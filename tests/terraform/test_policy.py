"""A policy scanner finds nothing, but for what is let be with a reason."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from terraform.runner import REPOSITORY, SOURCE, copied

CHECKOV = REPOSITORY / ".venv-checkov/bin/checkov"
EVERYTHING = REPOSITORY / "tests/terraform/everything.tfvars"
MOST_EXCEPTIONS = 8


def scanned(folder: Path, *arguments: str) -> dict[str, int]:
    """How many checks passed, failed and were let be; failures are told in full."""
    if not CHECKOV.exists():
        pytest.skip("checkov is not installed: make setup")
    settings = ["--framework", "terraform", "--skip-download"]
    said = subprocess.run(
        [CHECKOV, "-d", ".", *settings, "-o", "json", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(said.stdout)
    failed = [
        f"{check['check_id']} {check['check_name']}: {check['resource']}"
        for check in found["results"]["failed_checks"]
    ]
    assert failed == []
    assert found["results"]["parsing_errors"] == []
    return {key: found["summary"][key] for key in ("passed", "failed", "skipped")}


# The examples are scanned where they are: with the defaults.
@pytest.mark.parametrize(
    "given",
    [[], ["--skip-path", "examples", "--var-file", str(EVERYTHING)]],
    ids=["defaults and examples", "all"],
)
def test_the_scanner_finds_nothing(tmp_path: Path, given: list[str]) -> None:
    counts = scanned(copied(tmp_path), *given)
    print(counts)
    assert counts["passed"] > 100


def test_the_scanner_sees_what_is_wrong(tmp_path: Path) -> None:
    folder = copied(tmp_path) / "modules/ecr"
    images = folder / "main.tf"
    images.write_text(images.read_text().replace('"IMMUTABLE"', '"MUTABLE"'))
    with pytest.raises(AssertionError, match="CKV_AWS_51"):
        scanned(folder)


def test_exceptions_are_few_and_say_why() -> None:
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.tf"))
    exceptions = re.findall(r"#checkov:skip=(\w+):(.+)", text)
    assert len(exceptions) == len(re.findall("checkov:", text)) <= MOST_EXCEPTIONS
    assert all(len(why.split()) > 5 for _, why in exceptions)
