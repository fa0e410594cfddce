"""Writing a patch of an app's spec and printing what it does: for the commands that change one."""

from collections.abc import Callable

from weather_operator.kube.resources import Manifest, key_of
from weather_operator.model import WEATHER_APP, WEATHER_RELEASE, Release
from weather_operator.model.parsing import parse_release

from kubectl_weather.client import Client
from kubectl_weather.errors import ConflictError, ForbiddenError
from kubectl_weather.kubectl import Target
from kubectl_weather.printing import print_json, print_text
from kubectl_weather.snapshot import get_app
from kubectl_weather.spec_patches import SpecPatch

MakePatch = Callable[[Manifest], SpecPatch]

_ATTEMPTS = 5


def patch_spec(
    client: Client, name: str, make_patch: MakePatch, *, target: Target, as_json: bool
) -> None:
    """Write the patch that is made from the app as it is, and print its message."""
    patch = _write(client, name, make_patch)
    command = target.with_flags(patch.next.format(name=name), client.namespace)
    if as_json:
        result = {"namespace": client.namespace, "name": name, "said": patch.message}
        written = {"spec": patch.spec, "annotations": patch.annotations}
        print_json({**result, **written, "next": [command]})
        return
    print_text(patch.message, "Next:", f"  {command}", sep="\n")


def read_catalogue(client: Client) -> list[Release] | None:
    """Return the releases, None where the user may not read them."""
    try:
        return [parse_release(each) for each in client.list(WEATHER_RELEASE)]
    except ForbiddenError:
        return None


def _write(client: Client, name: str, make_patch: MakePatch) -> SpecPatch:
    """Write the patch and nothing else; an app that changed meanwhile is read and patched again."""
    for left in reversed(range(_ATTEMPTS)):
        app = get_app(client, name)
        patch = make_patch(app)
        if not (patch.spec or patch.annotations):
            break
        metadata: Manifest = {"resourceVersion": app["metadata"]["resourceVersion"]}
        if patch.annotations:
            metadata["annotations"] = patch.annotations
        body = {"metadata": metadata} | ({"spec": patch.spec} if patch.spec else {})
        try:
            client.merge(WEATHER_APP, key_of(app), body)
            break
        except ConflictError:
            if not left:
                raise
    return patch
