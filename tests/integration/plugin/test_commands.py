"""Whole commands, against a server on the loopback that answers as a test says."""

import errno
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from kubectl_weather.cli import COMMANDS, main
from support import objects
from support.plugin_api import Answer, Api, forbidding, having, nothing, run

NAMED = [name for name in COMMANDS if name not in ("list", "plan", "dashboard", "version")]


@pytest.mark.parametrize("name", ["", "weatherapp/london", "münchen", "London", "a b", "..", "?x"])
def test_what_is_no_name_of_an_app_is_a_wrong_call(api: Api, name: str) -> None:
    for command in NAMED:
        result = run(command, name)
        assert (result.exit_code, result.stdout) == (2, ""), command
        assert f"{name!r} is no name" in result.stderr
    assert not api.paths


@pytest.mark.parametrize("namespace", ["a b", "münchen", "a/b", ".."])
def test_what_is_no_name_of_a_namespace_is_a_wrong_call(api: Api, namespace: str) -> None:
    result = CliRunner().invoke(main, ["list", "-n", namespace])
    assert result.exit_code == 2
    assert f"{namespace!r} is no name" in result.stderr
    assert not api.paths


HOSTILE = "\x1b]0;title\x07\x1b[31m\u202eevil\x9b2J\r[red]:bug:[/red]\nsecond line"
SPELT = r"\x1b]0;title\x07\x1b[31m\u202eevil\x9b2J\r[red]:bug:[/red] second line"


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("tree",),
        ("explain",),
        ("status", "london", "--timeout=0"),
        ("history", "london"),
    ],
)
def test_what_others_wrote_is_no_command_to_the_terminal(api: Api, words: Sequence[str]) -> None:
    status = objects.status("RollingOut", HOSTILE, stalled=True)
    entry = {"revision": "a", "version": "1.0.0", "at": "2026-01-01T00:00:00Z"}
    app = objects.app(status={**status, "history": [{**entry, "outcome": HOSTILE}]})
    api.answer = having(weatherapps=[app])
    result = run(*words)
    assert SPELT in result.stdout
    assert result.stdout.replace("\n", "").isprintable()


def test_what_the_cluster_says_of_an_error_is_no_command_to_the_terminal(api: Api) -> None:
    api.answer = lambda _: Answer({"message": HOSTILE}, status=500)
    result = run("list")
    assert (result.exit_code, result.stderr) == (1, f"Error: {SPELT}\n")


PAGE = Answer(raw=b"<html>log in</html>")


@pytest.mark.parametrize("words", [("list",), ("tree", "--watch"), ("dashboard",)])
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (PAGE, "what answers is not Kubernetes: check the server's address"),
        (Answer(["x"]), "what answers is not Kubernetes: check the server's address"),
        (Answer({"error": "log in"}), "what answers is not Kubernetes: check the server's address"),
        (Answer({"metadata": {}, "status": "Success"}), "what answers is not Kubernetes: "),
        (Answer({"metadata": {}, "items": [{"id": 1}]}), "what answers is not Kubernetes: "),
        (Answer({"details": ["x"]}, status=404), "this cluster does not know"),
        (Answer(["x"], status=500), 'the cluster does not answer: ["x"]'),
        (Answer(None, status=503), "the cluster does not answer: null"),
        (Answer(raw=b"\n", status=302), "the cluster does not answer: HTTP 302"),
        (Answer({"message": None, "details": None}, status=403), "you lack a right: HTTP 403"),
        (Answer({"items": []}, length=1000), "the cluster does not answer: "),
    ],
    ids=[
        *("page", "list", "another API", "no list", "another list", "another API's error"),
        *("error-list", "null", "redirect", "no-message", "half"),
    ],
)
def test_an_answer_that_nobody_expects_is_one_sentence(
    api: Api, words: Sequence[str], answer: Answer, sentence: str
) -> None:
    api.answer = lambda _: answer
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {sentence}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("list",), ("tree",), ("tree", "--watch")])
def test_a_full_disk_is_one_sentence(
    api: Api, words: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kubectl_weather.commands.list.print_table", full)
    monkeypatch.setattr("kubectl_weather.commands.tree.print_tree", full)
    api.answer = having(weatherapps=[objects.app()])
    result = run(*words)
    assert (result.exit_code, result.stderr) == (1, "Error: No space left on device\n")


def test_a_date_that_cannot_be_read_costs_nothing(api: Api) -> None:
    api.answer = lambda path: replace(nothing(path), headers={"Date": "yesterday"})
    assert run("list").exit_code == 0


@pytest.mark.parametrize(
    ("forbidden", "hint"),
    [
        (("/v1/weatherapps",), "did you mean london?"),
        (("/weatherapps",), "kubectl get weatherapps -A lists those there are"),
    ],
)
def test_who_may_see_one_namespace_is_told_that_there_is_no_such_app(
    api: Api, forbidden: tuple[str, ...], hint: str
) -> None:
    apps = having(weatherapps=[objects.app()])
    missing = Answer({"message": "not found", "details": {"name": "lodnon"}}, status=404)
    found = forbidding(apps, *forbidden)
    api.answer = lambda path: missing if path.endswith("/lodnon") else found(path)
    result = run("status", "lodnon")
    sentence = f"Error: there is no WeatherApp lodnon in namespace default: {hint}\n"
    assert (result.exit_code, result.stderr) == (1, sentence)


def test_who_may_not_see_the_operator_is_told_the_plugins_version(api: Api) -> None:
    api.answer = forbidding(nothing, "deployments", "leases")
    result = run("version")
    assert (result.exit_code, result.stderr) == (
        0,
        "The operator's is unknown: you lack a right: no right.\n",
    )
    found = json.loads(run("version", "-o", "json").stdout)
    assert found["plugin"] in result.stdout
    assert found["operators"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "sites", "list"),
        ("--namespace=sites", "list"),
        ("-n", "sites", "-o", "json", "list"),
        ("--context", "tree", "list", "-n", "sites"),
    ],
    ids=" ".join,
)
def test_flags_may_come_before_the_command(api: Api, words: Sequence[str]) -> None:
    assert CliRunner().invoke(main, words).exit_code == 0
    (path,) = api.paths
    assert urlsplit(path).path.endswith("/namespaces/sites/weatherapps")


def test_a_command_that_is_none_is_a_wrong_call() -> None:
    for words in (("nonsense", "list"), ("-n", "sites", "nonsense"), ("--nonsense", "list")):
        assert CliRunner().invoke(main, words).exit_code == 2


def test_an_object_that_cannot_be_read_is_one_sentence(api: Api) -> None:
    app = objects.app()
    del app["spec"]["city"]
    api.answer = having(weatherapps=[app])
    result = run("open", "london")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: WeatherApp default/london cannot be read")


def test_who_may_see_no_events_is_told_what_the_pods_say(api: Api) -> None:
    app = objects.app()
    pod = objects.pod(objects.replica_set(objects.deployment(app), 1, "1.0.0"), "a")
    pod["status"] = {"phase": "Pending"}
    api.answer = forbidding(having(weatherapps=[app], pods=[pod]), "/events")
    result = run("explain", "london")
    assert result.exit_code == 0
    assert any(path.startswith("/api/v1/namespaces/default/events") for path in api.paths)


@pytest.mark.parametrize("command", ["list", "tree", "explain"])
def test_a_terminal_that_has_not_every_character_gets_the_others(api: Api, command: str) -> None:
    status = objects.status("RollingOut", "München → 日本", stalled=True)
    api.answer = having(weatherapps=[objects.app(status=status)])
    ascii_runner, words = CliRunner(charset="ascii"), [command, "--namespace=default"]
    assert b"M?nchen ? ??" in ascii_runner.invoke(main, words).stdout_bytes
    if command == "list":
        printed = ascii_runner.invoke(main, [*words, "--output=json"]).stdout
        assert json.loads(printed)[0]["message"] == "München → 日本"


def test_a_wait_with_a_timeout_ends_where_the_cluster_keeps_silent(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def silent(path: str) -> Answer:
        ended.wait(20)
        return nothing(path)

    monkeypatch.setattr("kubectl_weather.commands.status._LOOK_SECONDS", 0.1)
    api.answer = silent
    began = time.monotonic()
    result = run("status", "london", "--timeout=0")
    took = time.monotonic() - began
    ended.set()
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: the cluster does not answer: timed out\n",
    )
    assert took < 10


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"message": "etcdserver: leader changed"}, status=500),
        Answer({"message": "too many requests"}, status=429),
        Answer(raw=b"dial tcp 127.0.0.1:6443: connect: connection refused", status=502),
        Answer({}, length=9),
    ],
    ids=["restart", "load", "no connection", "broken off"],
)
def test_an_api_server_that_is_away_for_a_moment_ends_no_wait(
    api: Api, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr("kubectl_weather.commands.status._POLL_SECONDS", 0.01)
    waits = objects.app(status=objects.status("RollingOut", "1 of 2 pods updated"))
    ready = objects.app(status=objects.status("Serving", "2 of 2 pods serve", ready=True))
    answers = iter([Answer(waits), answer, answer, Answer(ready)])
    api.answer = lambda _: next(answers)
    result = run("status", "london", "--timeout=1m")
    assert result.exit_code == 0, result.output
    first, _, last = result.stdout.splitlines()
    assert (first, last) == ("RollingOut: 1 of 2 pods updated", "Serving: 2 of 2 pods serve")
    answers = iter([answer])
    assert run("status", "london", "--timeout=1m").exit_code == 1, "never was there an answer"


@pytest.mark.parametrize("generation", [1, 2])
def test_an_app_that_is_being_deleted_is_terminating_whatever_its_status_says(
    api: Api, generation: int
) -> None:
    """The API server counts a deletion as another generation, which nobody observes."""
    app = objects.app(status=objects.status("Serving", "2 of 2 pods serve", ready=True))
    app["status"]["rollout"] = {"phase": "RollingOut", "deadline": objects.ago(-300)}
    app["metadata"] |= {
        "generation": generation,
        "deletionTimestamp": objects.ago(60),
        "finalizers": ["example.com/backup"],
    }
    api.answer = having(weatherapps=[app])
    message = "it is being deleted and waits for the finalizer example.com/backup"
    assert run("list").stdout.split()[-len(message.split()) :] == message.split()
    assert "Terminating" in run("tree").stdout
    found = run("status", "london", "--timeout=0")
    assert (found.exit_code, found.stdout) == (2, f"Terminating: {message}\n")
    told = " ".join(run("explain", "london").stdout.split())
    assert f", Terminating: {message}. Next: kubectl get weatherapp london" in told
    for stale in ("waits for progress", "Serving", "older spec", "generation"):
        assert stale not in told
