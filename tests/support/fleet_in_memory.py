"""WeatherApps in a cache, as their statuses say, and the fleet that gives them their turns."""

from typing import Any

from support.manifests import app_body, deployment
from support.virtual_time import now
from weather_operator import render
from weather_operator.controller.event_handlers import new_cache
from weather_operator.controller.fleet import Fleet
from weather_operator.controller.workqueue import WorkQueue
from weather_operator.kube.resources import DEPLOYMENT, Manifest
from weather_operator.model import WEATHER_APP, Release
from weather_operator.model.parsing import parse_app
from weather_operator.rollout.observed import Observed

OLD, NEW = (Release(version="2.0.0", colour="green", image=f"w:{each}") for each in ("old", "new"))


def status(reason: str, *, rollout: Manifest | None = None, outcome: str = "") -> Manifest:
    """A status that is up to date; `outcome` is how the new image ended."""
    history = [{"outcome": outcome, "image": NEW.image}] if outcome else []
    return {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "reason": reason}],
        **({"rollout": rollout} if rollout else {}),
        "history": history,
    }


SERVING = status("Serving")
WAITS = status("Waiting")
ROLLS = status("RollingOut", rollout={"phase": "RollingOut", "from": "2.0.0", "to": "2.0.0"})
TRIED = {
    "strategy": "Canary",
    "revision": "r",
    "from": "2.0.0",
    "to": "2.0.0",
    "colour": "green",
    "image": NEW.image,
    "startedAt": "2026-01-01T09:00:00Z",
}
TRIES = [
    status(phase, rollout={**TRIED, "phase": phase})
    for phase in ("Preparing", "Analysing", "AwaitingApproval", "Promoting", "Draining", "Aborting")
]
UPGRADES = status("RollingOut", rollout={"phase": "RollingOut", "from": "1.0.0", "to": "2.0.0"})
DONE = status("Serving", outcome="Succeeded")
FAILED = status("RolledBack", outcome="RolledBack")


def app(name: str, told: Manifest = SERVING, *, born: int = 0, generation: int = 1) -> Manifest:
    """A green WeatherApp."""
    body = app_body(status=told, generation=generation, colour="green")
    body["metadata"].update(
        name=name, uid=name, creationTimestamp=f"2026-01-01T00:00:{born:02}Z", resourceVersion="1"
    )
    return body


def served(name: str, told: Manifest = SERVING, *, release: Release = OLD) -> Manifest:
    """A WeatherApp that has served with this release."""
    body = app(name, told)
    ended = {
        "outcome": "Succeeded",
        "revision": render.revision(parse_app(body), release),
        **{each: getattr(release, each) for each in ("version", "colour", "image")},
    }
    body["status"] = {**told, "history": [*told["history"], ended]}
    return body


def observed(
    body: Manifest, *, release: Release = NEW, runs: Release = OLD, **counts: Any
) -> Observed:
    """The app with its Deployment of the old image, and the release's image of now."""
    parsed = parse_app(body)
    live = deployment(version=runs.version, **counts)
    live["metadata"]["ownerReferences"] = [
        {"kind": "WeatherApp", "name": parsed.key.name, "uid": parsed.uid, "controller": True}
    ]
    live["spec"]["template"] = render.pod_template(parsed, runs)
    return Observed(
        app=parsed,
        now="2026-01-01T10:00:00Z",
        release=release,
        children={(DEPLOYMENT, parsed.key.name): live},
    )


class Apps:
    """A fleet in a cache."""

    def __init__(self, *bodies: Manifest, limit: str = "2") -> None:
        self.cache, self.queue = new_cache(), WorkQueue(clock=now)
        self.version = 1
        self.put(*bodies)
        self.fleet = Fleet(self.cache, self.queue, limit=limit, clock=now)

    def put(self, *bodies: Manifest) -> None:
        for body in bodies:
            self.version += 1
            body["metadata"]["resourceVersion"] = str(self.version)
            self.cache.put(WEATHER_APP, body)

    def ask(self, name: str, **counts: Any) -> str:
        """What this app waits for."""
        bodies = {body["metadata"]["name"]: body for body in self.cache.all(WEATHER_APP)}
        return self.fleet.waits_for(observed(bodies[name], **counts))
