"""The flags and arguments that several commands have, as kubectl has them."""

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from kubectl_weather import kubectl
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import Target
from kubectl_weather.trial_patches import Seen

Command = Callable[..., Any]
Complete = Callable[[click.Context, click.Parameter, str], list[str]]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 253


class Duration(click.ParamType[float]):
    """Seconds, written as kubectl takes a duration: 90s, 5m, 1h30m, or a plain number."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds. Raises BadParameter."""
        parts = _DURATION.findall(value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            self.fail(f"{value!r} is no duration: write 90s, 5m or 1h", param, ctx)
        return float(sum(float(number) * _SECONDS[unit or "s"] for number, unit in parts))


class ObjectName(click.ParamType[str]):
    """A name that Kubernetes may have given an object: nothing else becomes part of a path."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name. Raises BadParameter."""
        if len(value) > _LONGEST_NAME or not _NAME.fullmatch(value):
            self.fail(f"{value!r} is no name: write it alone, as in london", param, ctx)
        return str(value)


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
        click.option(
            "-n",
            "--namespace",
            metavar="NAME",
            type=ObjectName(),
            shell_complete=_complete_namespace,
            help="The namespace.",
        ),
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
    return click.argument("name", type=ObjectName(), shell_complete=_complete_name)(command)


def optional_app_name(command: Command) -> Command:
    """Give a command the argument NAME of a WeatherApp that may be left out."""
    name = click.argument("name", required=False, type=ObjectName(), shell_complete=_complete_name)
    return name(command)


def port(command: Command) -> Command:
    """Give a command the flag --port of this machine, as `port`; 0 stands for any free one."""
    number = click.IntRange(0, 65535)
    return click.option("-p", "--port", type=number, default=0, help="Else any free one.")(command)


def seen(command: Command) -> Command:
    """Give a command the flags that say what the user saw, as one `seen`."""

    @functools.wraps(command)
    def with_seen(
        *args: object, revision: str | None, step: int | None, **kwargs: object
    ) -> object:
        return command(*args, seen=Seen(revision=revision, step=step), **kwargs)

    given = click.option("--step", type=int, help="Only if it is at this step still.")(with_seen)
    return click.option("--revision", help="Only if this is what is tried still.")(given)


def refuse_name_in_all_namespaces(name: str | None, target: Target) -> None:
    """Raise UsageError for a name together with every namespace, as kubectl does."""
    if name and target.all_namespaces:
        raise click.UsageError("give the NAME of one app or every namespace (-A), not both")


def _complete_name(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the WeatherApps whose names begin so; none where the cluster does not answer soon."""
    return _complete(ctx, "weatherapps", "{.metadata.name}", incomplete)


def complete_release(field: str) -> Complete:
    """Return a completion by a field of the releases."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        return _complete(ctx, "weatherreleases", f"{{.spec.{field}}}", incomplete)

    return complete


def complete_served(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the versions that have served in the namespace and begin so."""
    # click does not say which NAME stands before a flag whose value is completed.
    return _complete(ctx, "weatherapps", "{.status.history[*].version}", incomplete)


def _complete_namespace(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    return _complete(ctx, "namespaces", "{.metadata.name}", incomplete)


def _complete(ctx: click.Context, plural: str, field: str, incomplete: str) -> list[str]:
    """Return each word once that begins so; none where the cluster does not answer soon."""
    given = {name: ctx.params.get(name) for name in ("kubeconfig", "context", "namespace")}
    flags = [f"--{name}={value}" for name, value in given.items() if value]
    path = f"jsonpath={{range .items[*]}}{field}{{'\\n'}}{{end}}"
    try:
        arguments = ("get", plural, "--request-timeout=3s", f"--output={path}")
        words = kubectl.run(*arguments, *flags).split()
    except PluginError:
        return []
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]
