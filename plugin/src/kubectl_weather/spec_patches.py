"""The patches of an app's spec that set, rollback, retry, pause, resume and restart write."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from weather_operator.kube.resources import Manifest
from weather_operator.model import Release

from kubectl_weather.errors import PluginError
from kubectl_weather.history import Rollout, successful
from kubectl_weather.model import condition

_WATCH = "kubectl weather tree {name} --watch"
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""What `kubectl rollout restart` changes in a pod template."""

_FAILED = ("RolledBack", "RollingBack", "ProgressDeadlineExceeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecPatch:
    """A merge patch of the spec and the annotations, both empty where it is so already.

    `message` is for the user, `next` the command to type next, with {name} in the name's place.
    """

    message: str
    spec: Manifest = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    next: str = _WATCH


def set_version(
    app: Manifest,
    catalogue: Sequence[Release] | None,
    *,
    version: str | None = None,
    colour: str | None = None,
) -> SpecPatch:
    """Return the patch to exactly one of a version and a colour.

    The catalogue is None where the user may not read it. Raises PluginError where it has no such
    version, or several.
    """
    name, spec = app["metadata"]["name"], app["spec"]
    asked = version or colour
    if asked in (spec.get("version"), spec.get("colour")):
        return SpecPatch(message=f"{name} asks for {asked} already.", next=_next_command(spec))
    shown = asked
    if catalogue is not None:
        found = _one_release(name, catalogue, version, colour)
        shown = f"{found.version} ({found.colour})"
    return SpecPatch(
        message=f"{name} asks for {shown}.",
        spec={"version": version, "colour": colour},
        next=_next_command(spec),
    )


def _one_release(
    name: str, catalogue: Sequence[Release], version: str | None, colour: str | None
) -> Release:
    found = [each for each in catalogue if version in (None, each.version)]
    found = [each for each in found if colour in (None, each.colour)]
    if len(found) == 1:
        return found[0]
    if found and colour:
        several = ", ".join(each.version for each in found)
        raise PluginError(f"{name} cannot be {colour}: several releases are ({several}): --version")
    if found:
        raise PluginError(f"{name} cannot be {version}: several releases are of that version")
    known = [each.version if version else each.colour for each in catalogue]
    raise PluginError(
        f"{name} cannot be {version or colour}: the catalogue has {', '.join(known) or 'nothing'} "
        "(kubectl get weatherreleases)"
    )


def restart(app: Manifest, now: datetime) -> SpecPatch:
    """Return the patch that replaces every pod by one of the same version."""
    name, spec = app["metadata"]["name"], app["spec"]
    stamp = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    return SpecPatch(
        message=f"{name} replaces its pods, a few at a time.",
        spec={"pod": {"annotations": {_RESTARTED_AT: stamp}}},
        next=_next_command(spec),
    )


def rollback(app: Manifest, catalogue: Sequence[Release] | None, *, to: str | None) -> SpecPatch:
    """Return the patch to a version that has served, `to` or else the last other one.

    The catalogue is None where the user may not read it. Raises PluginError where there is none.
    """
    name, spec = app["metadata"]["name"], app["spec"]
    hint = f"kubectl weather history {name} --namespace={app['metadata']['namespace']}"
    candidates = successful(app)
    if to is None:
        found = next((each for each in candidates if not _requests(spec, each)), None)
        missing = "no other version has served here"
    else:
        found = next((each for each in candidates if each.version == to), None)
        known = ", ".join(dict.fromkeys(each.version for each in candidates)) or "nothing yet"
        missing = f"{to} has not served here; what has: {known}"
    if found is None:
        raise PluginError(f"{name} cannot go back: {missing} ({hint})")
    if _requests(spec, found):
        return SpecPatch(message=f"{name} asks for {found.version} already.")
    if catalogue is not None and found.version not in {each.version for each in catalogue}:
        raise PluginError(
            f"{name} cannot go back: {found.version} is no longer in the catalogue "
            "(kubectl get weatherreleases)"
        )
    return SpecPatch(
        message=f"{name} goes back to {found.version} ({found.colour}).",
        spec=_version_patch(spec, found, catalogue or ()),
        next=_next_command(spec),
    )


def retry(app: Manifest) -> SpecPatch:
    """Return the patch that tries a failed revision again. Raises PluginError if none failed."""
    name, spec, status = app["metadata"]["name"], app["spec"], app.get("status", {})
    ready = condition(app, "Ready")
    if ready.get("reason") not in _FAILED:
        state = ready.get("reason", "without a status")
        raise PluginError(
            f"{name} has nothing to try again: it is {state}, and no rollout of it has failed"
        )
    attempts = [each["attempt"] for each in status.get("failedRevisions", ())]
    attempt = max(_rollout(spec, "attempt", 0), *attempts, 0) + 1
    return SpecPatch(
        message=f"{name} tries {status.get('desiredVersion', 'it')} again, attempt {attempt}.",
        spec={"rollout": {"attempt": attempt}},
        next=_next_command(spec),
    )


def pause(app: Manifest) -> SpecPatch:
    """Return the patch that pauses rollouts."""
    return _set_paused(app, True, state="paused", next_="kubectl weather resume {name}")


def resume(app: Manifest) -> SpecPatch:
    """Return the patch that lets rollouts go on."""
    return _set_paused(app, False, state="not paused", next_=_WATCH)


def _set_paused(app: Manifest, paused: bool, *, state: str, next_: str) -> SpecPatch:
    name = app["metadata"]["name"]
    if _rollout(app["spec"], "paused", False) == paused:
        return SpecPatch(message=f"{name} is {state} already.", next=next_)
    message = (
        f"{name} is paused: a rollout stands still, what serves goes on."
        if paused
        else f"{name} goes on."
    )
    return SpecPatch(message=message, spec={"rollout": {"paused": paused}}, next=next_)


def _rollout(spec: Manifest, name: str, default: int) -> int:
    """Return a field of the rollout; a definition that is older than the plugin may lack it."""
    value: int = spec.get("rollout", {}).get(name, default)
    return value


def _requests(spec: Manifest, rollout: Rollout) -> bool:
    return rollout.version == spec.get("version") or rollout.colour == spec.get("colour")


def _version_patch(spec: Manifest, rollout: Rollout, catalogue: Sequence[Release]) -> Manifest:
    """Name the version as the spec does, by colour or number, so that its file still applies."""
    colours = Counter(each.colour for each in dict.fromkeys(catalogue))
    if spec.get("colour") and colours[rollout.colour] == 1:
        return {"colour": rollout.colour}
    return {"version": rollout.version, "colour": None}


def _next_command(spec: Manifest) -> str:
    return "kubectl weather resume {name}" if _rollout(spec, "paused", False) else _WATCH
