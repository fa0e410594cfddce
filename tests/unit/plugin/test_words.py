import json

import pytest
from kubectl_weather.ages import length
from kubectl_weather.api import error_of
from kubectl_weather.errors import ForbiddenError, NotFoundError
from kubectl_weather.kubectl import Target, words_of
from kubectl_weather.printing import say_table
from kubectl_weather.tree import Word


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (7199, "119m"),
        (7200, "2h"),
        (200000, "2d"),
    ],
)
def test_ages_are_short(seconds: float, words: str) -> None:
    assert length(seconds) == words


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, "kubectl get wa"),
        ({"namespace": "a"}, "kubectl get wa --namespace=b"),
        ({"everywhere": True}, "kubectl get wa --namespace=b"),
        ({"context": "my ctx"}, "kubectl get wa '--context=my ctx'"),
    ],
)
def test_a_command_reaches_the_same_cluster(given: dict[str, str], command: str) -> None:
    assert Target(**given).spell("kubectl get wa", "b") == command  # type: ignore[arg-type] # a table


@pytest.mark.parametrize("words", ["x --all-namespaces", "weatherreleases", "crd x"])
def test_a_command_for_what_is_in_no_namespace_names_none(words: str) -> None:
    command = f"kubectl get {words}"
    assert Target(namespace="a").spell(command, "a") == command


def answer(**given: object) -> bytes:
    return json.dumps({"kind": "Status", **given}).encode()


def test_what_the_cluster_refuses_is_one_sentence() -> None:
    assert (
        str(error_of(502, b"dial tcp: refused\n"))
        == "the cluster does not answer: dial tcp: refused"
    )
    assert "log in again" in str(error_of(401, answer(message="Unauthorized")))
    assert isinstance(error_of(403, answer(message="no")), ForbiddenError)
    assert isinstance(error_of(404, answer(details={"name": "london"})), NotFoundError)
    assert "install the operator first" in str(error_of(404, b"404 page not found"))
    assert "install the operator first" in str(error_of(404, answer(details={})))


def test_kubectls_complaint_is_one_line() -> None:
    assert words_of("error: a\n\nerror: b\n") == "a; b"
    assert words_of("Error from server (BadRequest): a\n") == "a"
    assert words_of("The app is invalid: \n* a: b\n* c: d\n") == "The app is invalid: a: b; c: d"
    assert words_of("") == "kubectl failed"


def test_a_table_in_a_pipe_ends_where_its_words_end(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(("A", "WHY"), [(Word("1"), Word("a long reason")), (Word("2"), Word(""))])
    assert capsys.readouterr().out == "A   WHY\n1   a long reason\n2\n"
