"""What the commands change of an app's spec: decided from what the app says, written elsewhere."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from weather_operator.model import Release

from kubectl_weather.errors import PluginError
from kubectl_weather.records import Record, served
from kubectl_weather.sites import condition

Body = dict[str, Any]

_WATCH = "kubectl weather tree {name} --watch"
_RETRIED = ("RolledBack", "RollingBack", "ProgressDeadlineExceeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to merge into the spec, empty where it is so already, what to say, what to type next."""

    said: str
    spec: Body = field(default_factory=dict)
    next: str = _WATCH


def rollback(app: Body, catalogue: Sequence[Release] | None, *, to: str | None) -> Change:
    """Go back to a version that has served; None as catalogue where the viewer may not read it.

    Raises PluginError where there is none.
    """
    name, spec = app["metadata"]["name"], app["spec"]
    hint = f"kubectl weather history {name} --namespace={app['metadata']['namespace']}"
    good = served(app)
    if to is None:
        found = next((each for each in good if not _asks_for(spec, each)), None)
        missing = "no other version has served here"
    else:
        found = next((each for each in good if each.version == to), None)
        known = ", ".join(dict.fromkeys(each.version for each in good)) or "nothing yet"
        missing = f"{to} has not served here; what has: {known}"
    if found is None:
        raise PluginError(f"{name} cannot go back: {missing} ({hint})")
    if _asks_for(spec, found):
        return Change(said=f"{name} asks for {found.version} already.")
    if catalogue is not None and found.version not in {each.version for each in catalogue}:
        raise PluginError(
            f"{name} cannot go back: {found.version} is no longer in the catalogue "
            "(kubectl get weatherreleases)"
        )
    return Change(
        said=f"{name} goes back to {found.version} ({found.colour}).",
        spec=_wish(spec, found, catalogue or ()),
        next=_next(spec),
    )


def retry(app: Body) -> Change:
    """Try a revision that failed once more. Raises PluginError where none did."""
    name, spec, status = app["metadata"]["name"], app["spec"], app.get("status", {})
    ready = condition(app, "Ready")
    if ready.get("reason") not in _RETRIED:
        state = ready.get("reason", "without a status")
        raise PluginError(
            f"{name} has nothing to try again: it is {state}, and no rollout of it has failed"
        )
    known = [each["attempt"] for each in status.get("failedRevisions", ())]
    attempt = max(spec["rollout"]["attempt"], *known, 0) + 1
    return Change(
        said=f"{name} tries {status.get('desiredVersion', 'it')} again, attempt {attempt}.",
        spec={"rollout": {"attempt": attempt}},
        next=_next(spec),
    )


def pause(app: Body) -> Change:
    """Let a rollout stand still where it is."""
    return _hold(app, held=True, word="paused", next_="kubectl weather resume {name}")


def resume(app: Body) -> Change:
    """Let a rollout go on."""
    return _hold(app, held=False, word="not paused", next_=_WATCH)


def _hold(app: Body, *, held: bool, word: str, next_: str) -> Change:
    name = app["metadata"]["name"]
    if app["spec"]["rollout"]["paused"] == held:
        return Change(said=f"{name} is {word} already.", next=next_)
    said = (
        f"{name} is paused: a rollout stands still, what serves goes on."
        if held
        else f"{name} goes on."
    )
    return Change(said=said, spec={"rollout": {"paused": held}}, next=next_)


def _asks_for(spec: Body, record: Record) -> bool:
    return record.version == spec.get("version") or record.colour == spec.get("colour")


def _wish(spec: Body, record: Record, catalogue: Sequence[Release]) -> Body:
    """Ask in the form in which the spec asks, so that its file can still be applied."""
    colours = Counter(each.colour for each in dict.fromkeys(catalogue))
    if spec.get("colour") and colours[record.colour] == 1:
        return {"colour": record.colour}
    return {"version": record.version, "colour": None}


def _next(spec: Body) -> str:
    return "kubectl weather resume {name}" if spec["rollout"]["paused"] else _WATCH
