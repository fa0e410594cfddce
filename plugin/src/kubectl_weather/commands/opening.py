"""The commands that open something in a browser: the site itself, and the live page of all."""

import click
from weather_operator.kube.resources import key_of
from weather_operator.model import parse_app

from kubectl_weather import api, fleet, forwarding, kubectl, options
from kubectl_weather.errors import PluginError
from kubectl_weather.kubectl import Target


@click.command("open")
@options.app_name
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=0, help="Else any free one.")
@options.target()
def open_site(name: str, port: int, target: Target) -> None:
    """Forward a port of this machine to a site, and print its address; Ctrl-C ends it."""
    with api.connect(target, read_only=True) as cluster:
        body = fleet.app_called(cluster, name)
    app = parse_app(body)
    opened = forwarding.forward(target, key_of(body), local=port, remote=app.service.port)
    click.echo(f"http://{forwarding.HOST}:{next(opened)}{app.path}")
    for _ in opened:
        pass


@click.command()
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=0, help="Else any free one.")
@options.target()
def dashboard(port: int, target: Target) -> None:
    """Serve a live page of every app, or of a namespace's, to this machine alone."""
    from kubectl_weather import dashboard
    from kubectl_weather.watch import run

    everywhere = Target(kubeconfig=target.kubeconfig, context=target.context, everywhere=True)
    chosen = target if target.namespace else everywhere
    with api.connect(chosen, read_only=True) as cluster:
        place = f"{_context(target)}, {cluster.namespace or 'all namespaces'}"
        run(dashboard.serve(cluster, port, place=place, say=click.echo))


def _context(target: Target) -> str:
    """Return what the viewer calls the cluster."""
    try:
        return target.context or kubectl.run("config", "current-context", *target.flags).strip()
    except PluginError:
        return "this cluster"  # a kubeconfig need not have a context
