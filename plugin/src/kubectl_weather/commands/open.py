"""`kubectl weather open`: a site on a port of this machine."""

import click
from weather_operator.model.parsing import parse_app

from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.kubectl import LOOPBACK, Target, port_forward
from kubectl_weather.snapshot import get_app


@click.command("open")
@options.app_name
@options.port
@options.target()
def open_site(name: str, port: int, target: Target) -> None:
    """Forward a port of this machine to a site, and print its address; Ctrl-C ends it."""
    with connect(target, read_only=True) as client:
        app = parse_app(get_app(client, name))
    forwarded = port_forward(target, app.key, local=port, remote=app.service.port)
    click.echo(f"http://{LOOPBACK}:{next(forwarded)}{app.path}")
    for _ in forwarded:
        pass
