"""Commands that go on, against a server on the loopback whose watches answer as a test says."""

import errno
import io
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest
from kubectl_weather import watch
from rich.console import Console
from support import objects
from support.plugin_api import Answer, Api, having, nothing, run


@pytest.mark.parametrize(
    "line",
    [
        b"<html>\n",
        b"\n",
        b'{"type": "ADDED", "obj',
        b'{"type": "ADDED"}\n',
        b'{"type": "MODIFIED", "object": {}}\n',
        b'{"type": "ERROR"}\n',
        b'{"error": "log in"}\n',
    ],
)
def test_a_watch_that_answers_nonsense_is_begun_again(
    api: Api, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = objects.app(status=objects.status("Serving", "2 of 2 pods serve", ready=True))
    listed, once = having(weatherapps=[app]), threading.Lock()

    def answer(path: str) -> Answer:
        if "watch=true" not in path:
            return listed(path)
        # A second signal might come when the command has ended, and end the tests.
        if api.paths.count(path) > 1 and once.acquire(blocking=False):
            signal.raise_signal(signal.SIGTERM)
        return Answer(raw=line)

    monkeypatch.setattr(watch, "_FIRST_BACKOFF_SECONDS", 0.01)
    api.answer = answer
    assert run("tree", "--watch").exit_code == 128 + signal.SIGTERM


@pytest.mark.parametrize("words", [("tree", "--watch"), ("tree", "--watch", "--output=json")])
def test_a_watch_that_nobody_reads_ends_quietly(
    api: Api, words: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("kubectl_weather.commands.tree.print_tree", closed)
    monkeypatch.setattr("kubectl_weather.commands.tree.print_json", closed)
    api.answer = having(weatherapps=[objects.app()])
    result = run(*words)
    assert (result.exit_code, result.stderr) == (1, "")


@pytest.mark.parametrize("end", [b"", b'{"type": "ERROR", "object": {"code": 410}}\n'])
def test_watches_that_end_at_once_are_not_begun_again_without_a_pause(api: Api, end: bytes) -> None:
    asked: dict[str, list[float]] = defaultdict(list)
    once = threading.Lock()

    def answer(path: str) -> Answer:
        if "watch=true" not in path:
            return nothing(path)
        asked[path].append(time.monotonic())
        if len(asked[path]) == 3 and once.acquire(blocking=False):
            signal.raise_signal(signal.SIGTERM)
        return Answer(raw=end)

    api.answer = answer
    assert run("tree", "--watch").exit_code == 128 + signal.SIGTERM
    first, second, third = next(each for each in asked.values() if len(each) == 3)
    assert second - first > watch._FIRST_BACKOFF_SECONDS / 2
    assert third - first > 2 * watch._FIRST_BACKOFF_SECONDS


def stopping_once(
    is_seen: Callable[[], bool], answer: Callable[[str], Answer]
) -> Callable[[str], Answer]:
    """Answer so; the first watch ends the command as soon as something is seen, or never was."""
    once = threading.Lock()

    def stop() -> None:
        deadline = time.monotonic() + 60
        while not is_seen() and time.monotonic() < deadline:
            time.sleep(0.02)
        signal.raise_signal(signal.SIGTERM)

    def answering(path: str) -> Answer:
        if "watch=true" in path and once.acquire(blocking=False):
            threading.Thread(target=stop).start()
        return answer(path)

    return answering


def going_away(api: Api, answer: Callable[[str], Answer]) -> Callable[[str], Answer]:
    """Answer so until something is watched."""
    away = Answer({"message": "etcdserver: leader changed"}, status=500)
    return lambda path: away if any("watch=true" in each for each in api.paths) else answer(path)


APP = objects.app(status=objects.status("Serving", "2 of 2 pods serve", ready=True))


def test_who_reads_a_pipe_gets_what_is_printed_at_once(api: Api) -> None:
    def is_seen() -> bool:
        assert isinstance(sys.stdout, io.TextIOWrapper)
        assert isinstance(sys.stdout.buffer, io.BytesIO)
        seen.append(b"WeatherApp london" in sys.stdout.buffer.getvalue())
        return seen[-1]

    seen: list[bool] = []
    api.answer = stopping_once(is_seen, having(weatherapps=[APP]))
    assert run("tree", "--watch").exit_code == 128 + signal.SIGTERM
    assert seen[-1]


def test_a_cluster_that_does_not_answer_any_more_is_said_once_and_repeats_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FIRST_BACKOFF_SECONDS", 0.1)
    api.answer = stopping_once(
        lambda: len(api.paths) > 30, going_away(api, having(weatherapps=[APP]))
    )
    result = run("tree", "--watch")
    assert result.stderr == "not up to date: etcdserver: leader changed\n"
    assert result.stdout.count("WeatherApp london") == 1


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What commands write to a terminal of ten lines."""
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=100, height=10)
    monkeypatch.setattr("kubectl_weather.commands.tree.console", lambda: terminal)
    return out


def test_a_terminal_shows_that_the_cluster_does_not_answer_any_more(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, said = on_terminal(monkeypatch), "not up to date: etcdserver: leader changed"
    api.answer = stopping_once(
        lambda: said in out.getvalue(), going_away(api, having(weatherapps=[APP]))
    )
    run("tree", "--watch")
    assert said in out.getvalue()


def test_a_terminal_gets_no_more_apps_than_it_has_lines(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = on_terminal(monkeypatch)
    apps = [objects.app(f"app-{number:03}") for number in range(200)]
    api.answer = stopping_once(lambda: "app-000" in out.getvalue(), having(weatherapps=apps))
    run("tree", "--watch")
    assert "app-009" in out.getvalue()
    assert "and 190 more apps" in out.getvalue()
    assert "app-010" not in out.getvalue()


def test_without_any_app_a_watch_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    said, watched = "There is no WeatherApp in namespace default.", "watch=true"
    api.answer = stopping_once(lambda: any(watched in each for each in api.paths), api.answer)
    assert run("tree", "--watch").stderr == f"{said}\n"
    out = on_terminal(monkeypatch)
    api.answer = stopping_once(lambda: said in out.getvalue(), api.answer)
    run("tree", "--watch")
    assert said in out.getvalue()
