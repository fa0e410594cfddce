"""Commands that go on, against a server on the loopback whose watches answer as a test says."""

import errno
import signal
import threading
from collections.abc import Sequence

import pytest
from kubectl_weather import watch
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
    def answer(path: str) -> Answer:
        return Answer(raw=end) if "watch=true" in path else nothing(path)

    api.answer = answer
    ended = threading.Timer(0.8, signal.raise_signal, [signal.SIGTERM])
    ended.start()
    try:
        assert run("tree", "--watch").exit_code == 128 + signal.SIGTERM
    finally:
        ended.cancel()
    assert max(map(api.paths.count, api.paths)) <= 3
