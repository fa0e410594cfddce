import pytest
from weather_operator.model import Blocker
from weather_operator.status import blockers

NOW = "2026-01-01T10:00:00Z"


def test_who_runs_out_of_memory_is_told_what_to_raise() -> None:
    message = "back-off 40s; it last ended with OOMKilled, exit code 137"
    found = blockers.manifest(Blocker(reason="CrashLoopBackOff", message=message))
    assert found["message"] == f"{message}. Raise spec.resources.limits.memory."


def test_what_was_there_before_keeps_its_time() -> None:
    old = Blocker(reason="A", message="new words", object="Pod/1")
    new = Blocker(reason="B", message="x")
    previous = [{"reason": "A", "message": "old", "object": "Pod/1", "since": "before"}]
    assert [each.since for each in blockers.dated((old, new), previous, at=NOW)] == ["before", NOW]


def test_what_was_there_at_a_time_that_nobody_knows_is_of_now() -> None:
    found = blockers.dated((Blocker(reason="A", message="x"),), [{"reason": "A"}], at=NOW)
    assert [each.since for each in found] == [NOW]


def test_the_list_and_its_words_are_bounded() -> None:
    many = [Blocker(reason=f"R{number}", message="x" * 9999) for number in range(50)]
    dated = blockers.dated(many, (), at=NOW)
    assert len(dated) == 10
    assert len(blockers.manifest(dated[0])["message"]) == 1024


REFUSED = 'pods "london-5d8" is forbidden: exceeded quota: small, requested: pods=1'


@pytest.mark.parametrize(
    ("failure", "reasons"),
    [
        ("", []),
        (REFUSED, ["QuotaExceeded"]),
        ('admission webhook "x" denied the request', ["AdmissionDenied"]),
        ("ValidatingAdmissionPolicy 'x' with binding 'y' denied request", ["AdmissionDenied"]),
        ("something else", ["FailedCreate"]),
    ],
)
def test_what_refuses_the_pods_is_named_and_condemns_nothing(
    failure: str, reasons: list[str]
) -> None:
    found = blockers.of_deployment({"metadata": {"name": "london"}}, failure)
    assert [each.reason for each in found] == reasons
    assert all(each.object == "Deployment/london" and not each.condemns for each in found)


@pytest.mark.parametrize(
    ("condemns", "advice"),
    [(True, "Correct the WeatherRelease's image"), (False, "The nodes try again by themselves")],
)
def test_only_who_gave_a_wrong_image_is_told_to_correct_it(condemns: bool, advice: str) -> None:
    found = Blocker(reason="ImagePullBackOff", message="no", condemns=condemns)
    assert advice in blockers.manifest(found)["message"]


def test_a_policys_audit_hides_no_warning_about_a_way_in() -> None:
    """Kyverno warns of each object that breaks a rule, every hour."""
    refused = {"reason": "FailedBuildModel", "message": "no subnets", "lastTimestamp": "1"}
    audit = {"reason": "PolicyViolation", "message": "no team label", "lastTimestamp": "2"}
    (found,) = blockers.of_warnings("Ingress/london", [refused, audit])
    assert found.reason == "FailedBuildModel"
    assert blockers.of_warnings("Ingress/london", [audit]) == ()
