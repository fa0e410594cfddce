"""`kubectl weather version`: the plugin's and the operator's."""

import sys
from importlib.metadata import version as version_of

import click
from weather_operator.kube.resources import DEPLOYMENT, Manifest
from weather_operator.render.labels import NAME_LABEL, VERSION_LABEL

from kubectl_weather.client import Client, connect
from kubectl_weather.commands import options
from kubectl_weather.errors import ForbiddenError
from kubectl_weather.kubectl import Target
from kubectl_weather.lease import read_lease_state
from kubectl_weather.printing import print_json, print_text

_OPERATOR = f"{NAME_LABEL}=weather-operator"


@click.command()
@click.option("--client", "is_client_only", is_flag=True, help="The plugin's alone.")
@options.output
@options.target()
def version(is_client_only: bool, as_json: bool, target: Target) -> None:
    """Tell the version of the plugin and of each operator in the cluster."""
    own = version_of("kubectl-weather")
    if not as_json:
        print_text(f"kubectl-weather {own}")
    operators: list[dict[str, str]] | None = []
    message = ""
    if not is_client_only:
        with connect(target, read_only=True) as client:
            operators, message = _read_operators(client)
    if as_json:
        print_json({"plugin": own, "operators": operators})
        return
    for each in operators or ():
        line = "weather-operator {version} in namespace {namespace}, {ready} ready, {image}"
        print_text(line.format(**each))
    if not is_client_only and operators == []:
        print("There is no Deployment of the operator in this cluster.", file=sys.stderr)
    if message:
        print(f"{message[0].upper()}{message[1:]}.", file=sys.stderr)
    if operators and all(each["version"] != own for each in operators):
        print("Take the plugin of the operator's version: plan may differ.", file=sys.stderr)


def _read_operators(client: Client) -> tuple[list[dict[str, str]] | None, str]:
    """Return the operators, None where the user may not see them, and what there is to say."""
    try:
        found = client.list(DEPLOYMENT, labels=_OPERATOR)
    except ForbiddenError as error:
        return None, f"the operator's is unknown: {error}"
    return [_operator(each) for each in found], read_lease_state(client).message


def _operator(deployment: Manifest) -> dict[str, str]:
    metadata, spec = deployment["metadata"], deployment["spec"]
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    return {
        "namespace": metadata["namespace"],
        "version": metadata["labels"].get(VERSION_LABEL, "of unknown version"),
        "ready": f"{ready}/{spec['replicas']}",
        "image": spec["template"]["spec"]["containers"][0]["image"],
    }
