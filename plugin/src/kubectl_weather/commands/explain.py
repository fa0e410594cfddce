"""`kubectl weather explain`: why apps wait, and which command helps."""

import click

from kubectl_weather import explanation
from kubectl_weather.client import connect
from kubectl_weather.commands import options
from kubectl_weather.diagnostics import read_diagnostics
from kubectl_weather.kubectl import Target
from kubectl_weather.model import to_json
from kubectl_weather.printing import print_json, print_no_apps, print_text


@click.command()
@options.optional_app_name
@options.output
@options.target(all_namespaces=True)
def explain(name: str | None, as_json: bool, target: Target) -> None:
    """Tell in sentences why an app waits, or each of them, and which command helps."""
    options.refuse_name_in_all_namespaces(name, target)
    with connect(target, read_only=True) as client:
        found = [explanation.explain(each) for each in read_diagnostics(client, name)]
    found = [each.with_flags(target.with_flags) for each in found]
    if as_json:
        print_json(to_json(found[0] if name else found))
        return
    if not found:
        print_no_apps(client.namespace)
    for number, each in enumerate(found):
        print_text(*([""] if number else []), *each.sentences, "Next:", sep="\n")
        for command in each.next:
            print_text(f"  {command}")
