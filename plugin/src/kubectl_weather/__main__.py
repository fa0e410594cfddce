"""The command `kubectl weather`."""

import signal
import sys
from typing import NoReturn

import click

from kubectl_weather.commands import changing, opening, planning, seeing
from kubectl_weather.errors import PluginError


class Commands(click.Group):
    """A group whose commands end with a sentence, not a traceback, when a cluster cannot do."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except PluginError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """See, understand and change WeatherApps."""
    # Asked to end, it leaves no kubectl behind.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


for command in (
    seeing.tree,
    seeing.explain,
    planning.plan,
    seeing.history,
    changing.rollback,
    changing.retry,
    changing.pause,
    changing.resume,
    opening.open_site,
    opening.dashboard,
):
    command.short_help = command.help  # whole, where click would cut it
    main.add_command(command)


if __name__ == "__main__":
    main()
