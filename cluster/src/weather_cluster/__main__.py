"""The command `weather-cluster`: its words, options and exit codes."""

import errno
import os
import shlex
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich.console import Console

from weather_cluster import (
    binaries,
    bootstrap,
    canary_demo,
    clusters,
    demo,
    images,
    processes,
    progress,
    providers,
    settings,
)
from weather_cluster.errors import ClusterError

name_option = click.option("--name", default=clusters.DEFAULT_NAME, show_default=True)
kubernetes_option = click.option(
    "--kubernetes",
    type=click.Choice(list(binaries.KUBERNETES_VERSIONS)),
    default=binaries.DEFAULT_KUBERNETES,
    show_default=True,
    help="Another one has a control plane alone.",
)


cluster_option = click.option(
    "--cluster",
    type=click.Choice(list(providers.PROVIDERS)),
    help="Another tool's, in place of one of our own.",
)
registry_option = click.option(
    "--registry", default="", help="Where the current cluster pulls from: registry.example/team."
)


class Commands(click.Group):
    """A group whose commands end with a sentence, not a traceback, on what they are refused."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command of this context."""
        try:
            return super().invoke(ctx)
        except ClusterError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE or error.filename is None:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}") from error


@click.group(cls=Commands)
def main() -> None:
    """Run a real Kubernetes on this machine."""


@main.command()
@name_option
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1, 4))
@click.option("--control-plane-only", is_flag=True, help="No pod really runs; needs no root.")
@click.option("--no-metrics", is_flag=True, help="Without metrics of pods, until the next up.")
@click.option("--gateway", is_flag=True, help="With the Gateway API, and Traefik behind it.")
@kubernetes_option
def up(
    name: str,
    nodes: int,
    control_plane_only: bool,
    no_metrics: bool,
    gateway: bool,
    kubernetes: str,
) -> None:
    """Bring a cluster up; harmless when it runs already."""
    cluster = clusters.up(
        name,
        nodes=nodes,
        control_plane_only=control_plane_only,
        metrics=not no_metrics,
        gateway=gateway,
        kubernetes=kubernetes,
        report=_report(),
    )
    option = "" if name == clusters.DEFAULT_NAME else f" --name {name}"
    click.echo(f'cluster {cluster.name} is up: eval "$({_program()} env{option})"')


@main.command()
@click.option("--all", "everything", is_flag=True, help="Also what only tests need.")
@click.option("--no-metrics", is_flag=True, help="Not yet what `up --no-metrics` can do without.")
@click.option("--gateway", is_flag=True, help="And the gateway's.")
@click.option("--images", "with_images", is_flag=True, help="And the images at the same time.")
@kubernetes_option
def build(
    everything: bool, no_metrics: bool, gateway: bool, with_images: bool, kubernetes: str
) -> None:
    """Build a cluster's programs, as far as they are not built yet."""
    names = {*bootstrap.WITH_NODES, *(() if no_metrics else bootstrap.METRICS)}
    names |= {*bootstrap.CONTROL_PLANE} if everything else set()
    names |= {*bootstrap.GATEWAY} if everything or gateway else set()
    if kubernetes != binaries.DEFAULT_KUBERNETES:
        names = {*bootstrap.CONTROL_PLANE}
    ordered = [name for name in binaries.BINARIES if name in names]
    report = _report()
    # Images wait for the network where compilers wait for nothing.
    with ThreadPoolExecutor(1) as beside:
        building = beside.submit(images.build, report) if with_images else None
        binaries.ensure(ordered, settings.from_environment(), report, kubernetes)
    if building:
        building.result()


@main.command()
@name_option
@cluster_option
def down(name: str, cluster: str | None) -> None:
    """Take a cluster away, with all that belongs to it; from the current one, the demo alone."""
    if cluster:
        providers.PROVIDERS[cluster]("").delete()
    else:
        clusters.down(name)
    click.echo(f"cluster {name} is gone" if cluster != "current" else "the demo is gone")


@main.command()
@name_option
def status(name: str) -> None:
    """Say of each component whether it runs, and how a dead one ended."""
    directory = clusters.find(name).directory
    components = processes.components(directory)
    for component, runs in components.items():
        click.echo(f"{component:<26} {'running' if runs else 'dead'}")
    dead = [component for component, runs in components.items() if not runs]
    for component in dead:
        click.echo(f"\n{component} ended so ({processes.log_file(directory, component)}):")
        click.echo(processes.tail(directory, component))
    sys.exit(1 if dead else 0)


@main.command()
@name_option
@click.argument("image")
def load(name: str, image: str) -> None:
    """Make a local image usable by pods under its very name."""
    images.load(clusters.find(name), image)
    click.echo(f"{image} is on every node of cluster {name}")


@main.command()
@name_option
@click.argument("component")
def logs(name: str, component: str) -> None:
    """Print the log of a component."""
    directory = clusters.find(name).directory
    if component not in processes.components(directory):
        known = ", ".join(processes.components(directory))
        raise ClusterError(f"cluster {name} has no component {component!r}, it has {known}")
    click.echo(processes.log_file(directory, component).read_text(errors="replace"), nl=False)


@main.command()
@name_option
def env(name: str) -> None:
    """Print what a shell needs to use a cluster: eval $(weather-cluster env)."""
    cluster = clusters.find(name)
    click.echo(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")
    click.echo(f"export PATH={shlex.quote(str(cluster.bin))}:$PATH")
    click.echo(f"export WEATHER_CLUSTER_HOST={shlex.quote(cluster.host)}")


@main.command("images")
def images_command() -> None:
    """Build the operator's image and the page's three colours, as far as sources changed."""
    images.build(_report())


@main.command()
@click.argument("registry")
@click.option("--replace", is_flag=True, help="Also where a version is another image already.")
@click.option("--insecure", is_flag=True, help="It speaks plain HTTP or shows any certificate.")
def push(registry: str, replace: bool, insecure: bool) -> None:
    """Tag and push the images to REGISTRY, for example registry.example/team.

    Prints the name of each with its digest.
    """
    for pushed in images.push_all(registry, _report(), replace=replace, insecure=insecure):
        click.echo(pushed)


@main.command("demo")
@cluster_option
@registry_option
def demo_command(cluster: str | None, registry: str) -> None:
    """Show London's page turn yellow, green, red and green again, while a client counts.

    Needs kubectl in a context where the operator is installed, or another tool's --cluster, which
    is created and gets images and operator first. Leaves London running. Exits with 1 if a single
    request failed.
    """
    if cluster is None:
        sys.exit(0 if demo.run() else 1)
    report = _report()
    provider = providers.PROVIDERS[cluster](registry)
    with report(f"{cluster} cluster"):
        provider.create()
    images.build(report)
    prefix = provider.load(report)
    with tempfile.TemporaryDirectory() as folder:
        if text := provider.kubeconfig():
            file = Path(folder, "kubeconfig")
            file.write_text(text)
            file.chmod(0o600)
            os.environ["KUBECONFIG"] = str(file)
        with report("install the operator"):
            providers.install(prefix)
        ended = demo.run(provider.page)
    sys.exit(0 if ended else 1)


@main.command("demo-canary")
def demo_canary_command() -> None:
    """Show a canary that passes and one that fails, while a client counts who answers.

    Needs kubectl in a context where the operator and the Gateway API are installed, with Traefik.
    Leaves London running. Exits with 1 if a request failed that should not.
    """
    sys.exit(0 if canary_demo.run(Console(highlight=False, soft_wrap=True)) else 1)


def _program() -> str:
    """Return what a shell finds this program by, as it was called just now."""
    called = Path(sys.argv[0])
    if called.name != "weather-cluster" or shutil.which(called.name) == str(called):
        return "weather-cluster"
    here = called.resolve().parent / called.name
    is_below = here.is_relative_to(Path.cwd())
    return shlex.quote(str(here.relative_to(Path.cwd()) if is_below else here))


def _report() -> progress.Report:
    return progress.on_console(Console(stderr=True, soft_wrap=True))


if __name__ == "__main__":
    main()
