"""The flags and arguments that several commands have, as kubectl has them."""

import functools
from collections.abc import Callable
from typing import Any

import click

from kubectl_weather import kubectl
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import Target

Command = Callable[..., Any]


def target(*, all_namespaces: bool = False) -> Callable[[Command], Command]:
    """Give a command kubectl's flags for the cluster and the namespace, as one `target`."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_target(
            *args: object,
            kubeconfig: str | None,
            context: str | None,
            namespace: str | None,
            all_namespaces: bool = False,
            **kwargs: object,
        ) -> object:
            if all_namespaces and namespace:
                raise click.UsageError("give a namespace or all of them (-A), not both")
            chosen = Target(
                kubeconfig=kubeconfig,
                context=context,
                namespace=namespace,
                all_namespaces=all_namespaces,
            )
            return command(*args, target=chosen, **kwargs)

        decorated: Command = with_target
        for flag in _flags(all_namespaces):
            decorated = flag(decorated)
        return decorated

    return decorate


def _flags(with_all_namespaces: bool) -> list[Callable[[Command], Command]]:
    flags: list[Callable[[Command], Command]] = [
        click.option("--kubeconfig", metavar="FILE", help="The kubeconfig, else $KUBECONFIG."),
        click.option("--context", metavar="NAME", help="The kubeconfig's context."),
        click.option("-n", "--namespace", metavar="NAME", help="The namespace."),
    ]
    if with_all_namespaces:
        flags.append(click.option("-A", "--all-namespaces", is_flag=True, help="Every namespace."))
    return flags


def output(command: Command) -> Command:
    """Give a command the flag --output, as `as_json`."""

    @functools.wraps(command)
    def with_output(*args: object, output: str, **kwargs: object) -> object:
        return command(*args, as_json=output == "json", **kwargs)

    choice = click.Choice(["text", "json"])
    return click.option("-o", "--output", type=choice, default="text", show_default=True)(
        with_output
    )


def app_name(command: Command) -> Command:
    """Give a command the argument NAME of a WeatherApp, completed from the cluster."""
    return click.argument("name", shell_complete=_complete_name)(command)


def optional_app_name(command: Command) -> Command:
    """Give a command the argument NAME of a WeatherApp that may be left out."""
    return click.argument("name", required=False, shell_complete=_complete_name)(command)


def port(command: Command) -> Command:
    """Give a command the flag --port of this machine, as `port`; 0 stands for any free one."""
    number = click.IntRange(0, 65535)
    return click.option("-p", "--port", type=number, default=0, help="Else any free one.")(command)


def refuse_name_in_all_namespaces(name: str | None, target: Target) -> None:
    """Raise UsageError for a name together with every namespace, as kubectl does."""
    if name and target.all_namespaces:
        raise click.UsageError("give the NAME of one app or every namespace (-A), not both")


def _complete_name(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the WeatherApps whose names begin so; none where the cluster does not answer soon."""
    given = {name: ctx.params.get(name) for name in ("kubeconfig", "context", "namespace")}
    flags = [f"--{name}={value}" for name, value in given.items() if value]
    path = "jsonpath={range .items[*]}{.metadata.name}{'\\n'}{end}"
    try:
        arguments = ("get", "weatherapps", "--request-timeout=3s", f"--output={path}")
        names = kubectl.run(*arguments, *flags).split()
    except PluginError:
        return []
    return [name for name in names if name.startswith(incomplete)]
