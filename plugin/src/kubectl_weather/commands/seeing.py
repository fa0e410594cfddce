"""The commands that only look: tree, explain, history."""

import click

from kubectl_weather import api, fleet, options
from kubectl_weather.kubectl import Target


@click.command()
@options.optional_app_name
@click.option("-w", "--watch", is_flag=True, help="Go on showing what changes.")
@options.output
@options.target(everywhere=True)
def tree(name: str | None, watch: bool, as_json: bool, target: Target) -> None:
    """Show WeatherApp → Deployment → ReplicaSets → pods → nodes, of one app or of all."""
    options.refuse_name_everywhere(name, target)
    with api.connect(target, read_only=True) as cluster:
        if watch:
            from kubectl_weather import live

            live.follow(cluster, name, as_json=as_json)
            return
        sites = fleet.read(cluster, name).sites()
    from kubectl_weather import printing
    from kubectl_weather.tree import tree as tree_of

    if as_json:
        printing.say_json(sites[0].json() if name else [each.json() for each in sites])
        return
    if not sites:
        printing.say_none(cluster.namespace)
    for each in sites:
        printing.say(printing.drawn(tree_of(each, cluster.now)))


@click.command()
@options.optional_app_name
@options.output
@options.target(everywhere=True)
def explain(name: str | None, as_json: bool, target: Target) -> None:
    """Tell in sentences why an app waits, or each of them, and which command helps."""
    options.refuse_name_everywhere(name, target)
    from kubectl_weather import evidence, printing
    from kubectl_weather.explain import explain as explanation_of

    with api.connect(target, read_only=True) as cluster:
        found = [explanation_of(each) for each in evidence.read(cluster, name)]
    found = [each.spelled(target.spell) for each in found]
    if as_json:
        printing.say_json(found[0].json() if name else [each.json() for each in found])
        return
    if not found:
        printing.say_none(cluster.namespace)
    for number, each in enumerate(found):
        printing.say(*([""] if number else []), *each.sentences, "Next:", sep="\n")
        for command in each.next:
            printing.say(f"  {command}")


@click.command()
@options.app_name
@options.output
@options.target()
def history(name: str, as_json: bool, target: Target) -> None:
    """List an app's rollouts, newest first: how they ended, how long they took, why they failed."""
    from kubectl_weather import printing
    from kubectl_weather.records import TITLES, records

    with api.connect(target, read_only=True) as cluster:
        found = records(fleet.app_called(cluster, name))
    if as_json:
        printing.say_json([each.json() for each in found])
    elif found:
        printing.say_table(TITLES, [each.row(cluster.now) for each in found])
    else:
        click.echo(f"No rollout of {name} has ended yet.", err=True)
