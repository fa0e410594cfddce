from pathlib import Path

import pytest
from terraform.runner import Terraform, copied


def _unready(terraform: Terraform) -> str:
    """Why nothing here can run; nothing when all can."""
    try:
        version = terraform.run(".", "version", "-no-color")
    except FileNotFoundError:
        return "terraform is not installed"
    if version.returncode != 0:
        return "terraform is not installed"
    started = terraform.init(".", "-backend=false")
    if "Unsupported Terraform Core version" in started.stderr:
        return f"{version.stdout.splitlines()[0]} is older than this needs"
    if "hashicorp/aws" in started.stderr and started.returncode != 0:
        return "Terraform's AWS provider cannot be had: no mirror of it here, and no download"
    assert started.returncode == 0, started.stderr
    return ""


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The root, ready to plan, in a copy that tests share and none applies in."""
    terraform = Terraform(copied(tmp_path_factory.mktemp("shared")))
    if why := _unready(terraform):
        pytest.skip(why)
    return terraform


@pytest.fixture
def alone(terraform: Terraform, tmp_path: Path) -> Terraform:
    """A copy of the test's own, where it may apply."""
    return Terraform(copied(tmp_path))
