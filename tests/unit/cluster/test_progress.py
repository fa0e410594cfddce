import io
import re

from rich.console import Console
from support.deadlines import eventually
from weather_cluster import progress


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=120), written


def test_a_log_has_a_line_for_each_step() -> None:
    shown, written = console(terminal=False)
    with progress.on_console(shown)("build kubelet"):
        assert written.getvalue() == ""
    assert re.fullmatch(r" *\d+\.\d s  build kubelet\n", written.getvalue())


def test_a_log_has_a_line_now_and_then_while_a_step_lasts() -> None:
    shown, written = console(terminal=False)
    with progress.on_console(shown, every=0.02)("build kubelet") as update:
        assert eventually(lambda: "build kubelet goes on\n" in written.getvalue(), every=0.01)
        update("1,234 of 2,468 packages, about 3 min left", 0.5)
        words = "s  build kubelet: 1,234 of 2,468 packages, about 3 min left\n"
        assert eventually(lambda: words in written.getvalue(), every=0.01)


def test_a_terminal_shows_a_bar_once_a_step_says_how_far_it_is() -> None:
    shown, written = console(terminal=True)
    with progress.on_console(shown)("build kubelet") as update:
        assert eventually(lambda: "build kubelet" in written.getvalue(), every=0.01)
        assert "━" not in written.getvalue()
        update("1,234 of 2,468 packages", 0.5)
        assert eventually(lambda: "1,234 of 2,468 packages" in written.getvalue(), every=0.01)
        assert "━" in written.getvalue()


def test_a_terminal_shows_steps_that_run_at_once() -> None:
    shown, written = console(terminal=True)
    report = progress.on_console(shown)
    with report("build kubelet"):
        with report("image weather:1.0.0"):
            assert eventually(lambda: "image weather" in written.getvalue(), every=0.01)
        assert eventually(
            lambda: "build kubelet" in written.getvalue().rpartition("image weather:1.0.0")[2],
            every=0.01,
        )
