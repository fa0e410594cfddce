"""A gentle stream of what users do to their sites, and others to what they are made of."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from campaign.api import Api
from campaign.plans import EDITS
from support.manifests import COLOURS
from support.operator import current_status, release, weather_app

NAMESPACE = "default"
BAD_VERSION = "9.0.0"
_BAD_IMAGE = "weather-broken:9"
_DEADLINE_SECONDS = 10

Spec = dict[str, Any]


@dataclass(slots=True)
class Users:
    """Users of so many apps. A name that was deleted is never used again."""

    api: Api
    size: int
    chance: random.Random
    specs: dict[str, Spec] = field(default_factory=dict)
    acts: Counter[str] = field(default_factory=Counter)
    _made: int = 0

    def begin(self) -> None:
        """Make the version that is bad, and all apps."""
        self.api.apply("weatherreleases", release(BAD_VERSION, "black", _BAD_IMAGE))
        for _ in range(self.size):
            self._make()

    def act(self) -> None:
        """Do one thing."""
        acts: dict[Callable[[str], None], float] = {
            self._change_version: 30,
            self._change_number: 15,
            self._switch_autoscaling: 12,
            self._switch_ingress: 4,
            self._change_service: 4,
            self._take_bad_version: 6,
            self._replace: 10,
            self._edit_child: 12,
            self._delete_child: 6,
            self._change_image: 0.2,
        }
        (act,) = self.chance.choices(list(acts), weights=list(acts.values()))
        self.acts[act.__name__.strip("_").replace("_", " ")] += 1
        act(self.chance.choice([*self.specs]))

    def unfinished(self) -> list[str]:
        """Return the apps that are not yet what their users want, each with what it says."""
        bodies = {
            each["metadata"]["name"]: each for each in self.api.list("weatherapps", NAMESPACE)
        }
        found = [f"{name}: still there" for name in bodies.keys() - self.specs.keys()]
        for name, spec in self.specs.items():
            reason = _ready_reason(bodies.get(name, {}))
            if reason not in _ENDS | (_BAD_ENDS if spec["version"] == BAD_VERSION else set()):
                found.append(f"{name}: {reason}")
        return found

    def _make(self) -> None:
        self._made += 1
        version = self.chance.choice([*COLOURS])
        name = f"site-{self._made}"
        self.specs[name] = {"version": version, "replicas": self.chance.randint(1, 3)}
        self._apply(name)

    def _apply(self, name: str) -> None:
        rollout = {"progressDeadlineSeconds": _DEADLINE_SECONDS}
        self.api.apply(
            "weatherapps", weather_app(name, NAMESPACE, rollout=rollout, **self.specs[name])
        )

    def _change_version(self, name: str) -> None:
        self.specs[name]["version"] = self.chance.choice([*COLOURS])
        self._apply(name)

    def _change_number(self, name: str) -> None:
        self.specs[name]["replicas"] = self.chance.randint(0, 4)
        self._apply(name)

    def _switch_autoscaling(self, name: str) -> None:
        self._switch(name, "autoscaling", {"minReplicas": 1, "maxReplicas": 3})

    def _switch_ingress(self, name: str) -> None:
        self._switch(name, "ingress", {"className": "nginx", "host": f"{name}.example.com"})

    def _change_service(self, name: str) -> None:
        self._switch(name, "service", {"type": "NodePort"})

    def _switch(self, name: str, part: str, value: Spec) -> None:
        if not self.specs[name].pop(part, None):
            self.specs[name][part] = value
        self._apply(name)

    def _take_bad_version(self, name: str) -> None:
        self.specs[name]["version"] = BAD_VERSION
        self._apply(name)

    def _replace(self, name: str) -> None:
        self.api.delete("weatherapps", NAMESPACE, name)
        del self.specs[name]
        self._make()

    def _edit_child(self, name: str) -> None:
        kind = self.chance.choice([*EDITS])
        self.api.patch(kind, NAMESPACE, name, self.chance.choice(EDITS[kind]))

    def _delete_child(self, name: str) -> None:
        self.api.delete(self.chance.choice([*EDITS]), NAMESPACE, name)

    def _change_image(self, _: str) -> None:
        """Roll out another image of one version, to all who have it."""
        version = self.chance.choice([*COLOURS])
        image = f"weather:{version}-{self.chance.randint(0, 999)}"
        self.api.apply("weatherreleases", release(version, COLOURS[version], image))


_ENDS = frozenset({"Serving", "ScaledToZero", "AddressPending"})
_BAD_ENDS = frozenset({"RolledBack", "ProgressDeadlineExceeded"})


def _ready_reason(body: dict[str, Any]) -> str:
    status = current_status(body) if body else {}
    if not status:
        return "not seen yet"
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    return str(ready["reason"])
