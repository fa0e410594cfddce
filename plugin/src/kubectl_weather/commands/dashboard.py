"""`kubectl weather dashboard`: the live page of all sites."""

import click

from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.kubectl import Target, context_name


@click.command()
@options.port
@options.target()
def dashboard(port: int, target: Target) -> None:
    """Serve a live page of every app, or of a namespace's, to this machine alone."""
    # Slow to import: completion and help do not wait for a web server.
    from kubectl_weather.dashboard.server import serve
    from kubectl_weather.watch import run

    whole = Target(kubeconfig=target.kubeconfig, context=target.context, all_namespaces=True)
    shown = target if target.namespace else whole
    with connect(shown, read_only=True) as client:
        place = f"{context_name(target)}, {client.namespace or 'all namespaces'}"
        run(serve(client, port, place=place, on_ready=click.echo))
