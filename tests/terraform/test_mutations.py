from pathlib import Path

import pytest
from terraform.mutate import Verdict, judged, tried
from terraform.mutations import MUTATIONS, Mutation
from terraform.runner import SOURCE, Terraform

RULE = {"summary": "Invalid value for variable", "detail": "Write two zones."}
SYNTAX = {"summary": "Unsupported argument", "detail": "Did you mean vpc_id?"}


def test_each_mistake_can_still_be_made() -> None:
    assert len({each.what for each in MUTATIONS}) == len(MUTATIONS) >= 70
    for each in MUTATIONS:
        text = Path(SOURCE, each.file).read_text()
        assert text.count(each.old) == 1, f"{each.what}: its text is not once in {each.file}"
        assert each.old != each.new


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([RULE], Verdict.CAUGHT),
        ([SYNTAX], Verdict.BROKEN),
        ([RULE, SYNTAX], Verdict.BROKEN),
        ([], Verdict.BROKEN),
    ],
    ids=["a rule", "nonsense", "both", "a time-out"],
)
def test_a_refusal_is_a_catch_only_by_a_rule_of_ours(
    errors: list[dict[str, str]], verdict: Verdict
) -> None:
    assert judged(errors).verdict is verdict


def test_text_that_terraform_cannot_read_is_no_catch(terraform: Terraform, tmp_path: Path) -> None:
    nonsense = Mutation(
        what="", file="main.tf", old="var.bastion_enabled ? 1", new="var.bastion_on ? 1"
    )
    outcome = tried(terraform, nonsense, tmp_path)
    assert outcome.verdict is Verdict.BROKEN
    assert "bastion_on" in outcome.why
