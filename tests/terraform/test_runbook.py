"""The runbook's commands, run one after the other as a reader would, up and back to nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from terraform.account import Account, account
from terraform.programs import BALANCER, Programs, installed, records
from terraform.runbook import run, steps
from terraform.runner import REPOSITORY, copied


@pytest.fixture(scope="module")
def amazon() -> Iterator[Account]:
    with account() as opened:
        opened.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
        yield opened


@pytest.fixture
def programs(amazon: Account, tmp_path: Path) -> Iterator[Programs]:
    (tmp_path / "bin").mkdir()
    remembering = Programs(amazon)
    with installed(remembering, tmp_path / "bin"):
        yield remembering


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    copied(folder)
    (folder / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    return folder


def test_leads_from_nothing_to_a_site_and_back(
    programs: Programs, project: Path, amazon: Account
) -> None:
    up, back = steps("Up"), steps("Back to nothing")
    assert len(up) == 7
    ran = run(project, *up)
    assert ran.returncode == 0, ran.stderr
    [certificate] = amazon.client("acm").list_certificates()["CertificateSummaryList"]
    assert programs.done["certificate"] == certificate["CertificateArn"]
    assert programs.done["host"] == certificate["DomainName"]
    assert records(amazon)[certificate["DomainName"]] == BALANCER
    assert programs.done["shell"] == ["bash --login"]

    ran = run(project, *back)
    assert ran.returncode == 0, ran.stderr
    assert programs.done["root destroyed"]
    assert not programs.done["balancer"]


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        (1, "not yet: root initialised"),
        (3, "not yet: tunnel"),
        (4, "not yet: controller"),
        (5, "not yet: operator"),
        (6, "SITE: unbound variable"),
    ],
)
def test_each_step_needs_the_one_before(
    programs: Programs, project: Path, left_out: int, why: str
) -> None:
    up = steps("Up")
    ran = run(project, *up[: left_out - 1], *up[left_out:])
    assert ran.returncode != 0
    assert why in ran.stderr
    assert "balancer" not in programs.done


def test_each_step_may_be_run_again(programs: Programs, project: Path) -> None:
    settings = project / "terraform/terraform.tfvars"
    settings.write_text("# mine\n")
    ran = run(project, *(each for step in steps("Up") for each in (step, step)))
    assert ran.returncode == 0, ran.stderr
    assert settings.read_text() == "# mine\n"


def test_nothing_is_destroyed_while_a_load_balancer_is_left(
    programs: Programs, project: Path
) -> None:
    ran = run(project, *steps("Up"), *steps("Back to nothing")[2:])
    assert "DependencyViolation" in ran.stderr
    assert "root destroyed" not in programs.done
