import json
import re
from pathlib import Path

import pytest
from terraform.runner import SOURCE, Terraform

FOLDERS = sorted(
    str(path.parent.relative_to(SOURCE))
    for path in SOURCE.rglob("versions.tf")
    if ".terraform" not in path.parts
)


def test_is_formatted(terraform: Terraform) -> None:
    assert terraform.do(".", "fmt", "-check", "-recursive", "-diff") == ""


# The examples are applied, which says as much and more.
@pytest.mark.parametrize("folder", [each for each in FOLDERS if not each.startswith("examples")])
def test_is_valid(terraform: Terraform, folder: str) -> None:
    if folder != ".":
        started = terraform.init(folder, "-backend=false")
        assert started.returncode == 0, started.stderr
    verdict = json.loads(terraform.run(folder, "validate", "-json").stdout)
    assert verdict["valid"], verdict["diagnostics"]
    assert verdict["warning_count"] == 0, verdict["diagnostics"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_needs_no_other_provider_than_aws(folder: str) -> None:
    text = "\n".join(path.read_text() for path in Path(SOURCE, folder).glob("*.tf"))
    sources = re.findall(r'^ +source += "([^."].*)"', text, re.MULTILINE)
    assert sources == ["hashicorp/aws"]
    assert '"hashicorp/aws"\n      version = "~> 5.100"' in text
    assert 'required_version = ">= 1.11.4, < 2.0.0"' in text


def test_makes_of_its_variables_what_it_should(terraform: Terraform) -> None:
    # The mistakes are test_refusals' business, which is quicker about them.
    terraform.do(".", "test", "-no-color", "-filter=tests/unit.tftest.hcl")
