"""The command `kubectl weather` and its completion by the shell.

A command's module is imported when the command runs: `kubectl weather tree` does not wait for the
web server of `kubectl weather dashboard`.
"""

import errno
import io
import os
import signal
import sys
from importlib import import_module
from typing import NoReturn

import click
from click.shell_completion import ShellComplete
from weather_operator.model.parsing import UnreadableError

from kubectl_weather import signals
from kubectl_weather.errors import PluginError
from kubectl_weather.terminal import in_one_line

COMMANDS = {
    "list": "list_apps",
    "tree": "tree",
    "explain": "explain",
    "status": "status",
    "plan": "plan",
    "history": "history",
    "set": "set_version",
    "rollback": "rollback",
    "retry": "retry",
    "pause": "pause",
    "resume": "resume",
    "restart": "restart",
    "approve": "approve",
    "abort": "abort",
    "promote": "promote",
    "open": "open_site",
    "dashboard": "dashboard",
    "version": "version",
}
"""The commands in the order in which help lists them, and the function in each one's module."""

_FLAGS_WITH_VALUE = ("-n", "--namespace", "--context", "--kubeconfig", "-o", "--output")

# What kubectl lets the shell add to the completions: nothing, or names of files.
_NO_FILES, _FILES = ":4", ":0"


class Commands(click.Group):
    """The commands; what a cluster refuses ends them with a sentence instead of a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"kubectl_weather.commands.{cmd_name}")
        command: click.Command = getattr(module, COMMANDS[cmd_name])
        command.short_help = command.help  # whole, where click would cut it
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let flags come before the command too, as kubectl does."""
        return super().parse_args(ctx, _command_first(args))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command and turn its errors, and this machine's, into exit codes."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a full disk is noticed here, not after the end
            return result
        except (PluginError, UnreadableError) as error:
            raise click.ClickException(in_one_line(str(error))) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click ends quietly
            reason = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
            raise click.ClickException(in_one_line(reason or str(error))) from error
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)


def _command_first(words: list[str]) -> list[str]:
    if not words or not words[0].startswith("-"):
        return words
    for place, word in enumerate(words):
        if word in COMMANDS and words[place - 1] not in _FLAGS_WITH_VALUE:
            return [word, *words[:place], *words[place + 1 :]]
    return words


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """See, understand and change WeatherApps."""
    if sys.stdout is None:  # closed by the shell
        sys.stdout = io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8")
    elif isinstance(sys.stdout, io.TextIOWrapper):
        # What the terminal or the pipe has no character for is a question mark.
        sys.stdout.reconfigure(errors="replace")
    # A kubectl that was started is stopped on the way out.
    for number in signals.ENDING:
        signal.signal(number, _exit)


def complete() -> None:
    """Print one completion a line, then whether names of files fit too, as kubectl expects it.

    https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
    """
    *words, incomplete = sys.argv[1:] or [""]
    shell = ShellComplete(main, {}, "kubectl-weather", "")
    completions = shell.get_completions(words, incomplete)
    for each in completions:
        if each.type == "plain":
            print(f"{each.value}\t{each.help or ''}".rstrip())
    print(_FILES if any(each.type == "file" for each in completions) else _NO_FILES)


def _exit(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)
