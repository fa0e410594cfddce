"""The annotations that approve, abort and promote write, bound to the revision that is tried."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from weather_operator.kube.resources import Manifest
from weather_operator.model import ABORT_ANNOTATION, APPROVE_ANNOTATION, PROMOTE_ANNOTATION
from weather_operator.rollout.trial import AWAITING_APPROVAL, PROMOTING, TRYING

from kubectl_weather.errors import PluginError
from kubectl_weather.model import condition, is_current
from kubectl_weather.spec_patches import SpecPatch
from kubectl_weather.trial import Trial, trial_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the user saw, None where they did not say: only that is decided on."""

    revision: str | None = None
    step: int | None = None


def approve(app: Manifest, seen: Seen) -> SpecPatch:
    """Return the patch that lets a trial go on from its step. Raises PluginError."""
    name, trial = app["metadata"]["name"], _trial(app, "approve", seen)
    if trial.phase != AWAITING_APPROVAL:
        raise PluginError(
            f"{name} waits for no approval: it is {trial.phase} at step {trial.step} of "
            f"{trial.steps}"
        )
    return _patch(
        app,
        APPROVE_ANNOTATION,
        f"{trial.revision}/{trial.step}",
        f"{name} may go on with {trial.version} from step {trial.step} of {trial.steps}.",
    )


def abort(app: Manifest, seen: Seen) -> SpecPatch:
    """Return the patch that takes what is tried back. Raises PluginError."""
    name, trial = app["metadata"]["name"], _undecided(app, "abort", seen, (*TRYING, PROMOTING))
    serving = app["status"].get("version", "what served before")
    message = f"{name} gives up {trial.version}: all visitors go to {serving}."
    return _patch(app, ABORT_ANNOTATION, trial.revision, message)


def promote(app: Manifest, seen: Seen) -> SpecPatch:
    """Return the patch that lets what is tried serve without further steps. Raises PluginError."""
    name, trial = app["metadata"]["name"], _undecided(app, "promote", seen, TRYING)
    message = f"{name} takes {trial.version} without the steps that are left."
    return _patch(app, PROMOTE_ANNOTATION, trial.revision, message)


def _undecided(app: Manifest, what: str, seen: Seen, phases: Collection[str]) -> Trial:
    trial = _trial(app, what, seen)
    if trial.phase not in phases:
        name = app["metadata"]["name"]
        raise PluginError(f"{name} has nothing to {what}: it is {trial.phase} already")
    return trial


def _trial(app: Manifest, what: str, seen: Seen) -> Trial:
    name, trial = app["metadata"]["name"], trial_of(app)
    if not is_current(app):
        raise PluginError(
            f"{name} was changed and the operator has not looked at it since: "
            f"see what it makes of that first (kubectl weather explain {name})"
        )
    if trial is None:
        state = condition(app, "Ready").get("reason") or "without a status"
        hint = f"; a rollout is taken back by kubectl weather rollback {name}"
        raise PluginError(
            f"{name} has nothing to {what}: it is {state}, and no revision is tried beside the one "
            f"that serves{hint if what == 'abort' and state == 'RollingOut' else ''}"
        )
    is_other_revision = seen.revision not in (None, trial.revision)
    if is_other_revision or seen.step not in (None, trial.step):
        raise PluginError(
            f"{name} has gone on since: it tries revision {trial.revision} ({trial.version}) and "
            f"is at step {trial.step} of {trial.steps}, so nothing was written"
        )
    return trial


def _patch(app: Manifest, annotation: str, value: str, message: str) -> SpecPatch:
    said = app["metadata"].get("annotations", {}).get(annotation, "")
    if f"{annotation}={said}" in app["status"]["rollout"].get("earlierDecisions", ()):
        # Of an earlier trial: any other value that begins so is a new decision.
        return SpecPatch(
            message=message, annotations={annotation: f"{value}@{secrets.token_hex(4)}"}
        )
    if said.partition("@")[0] == value:
        return SpecPatch(message=f"{message} That has been said already.")
    return SpecPatch(message=message, annotations={annotation: value})
