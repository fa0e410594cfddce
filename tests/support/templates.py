"""The pod templates that release 0.1.0 made, recorded for all releases after it.

A template that is rendered otherwise is another revision: every pod of every site would restart
when the operator is upgraded. `python -m support.templates > unit/operator/templates.json`, in
tests/, records them anew; do that only when a restart is what you want, and say so to people.
"""

import json
from typing import Any

from support.manifests import app_body
from weather_operator.model import Release
from weather_operator.model.parsing import parse_app
from weather_operator.render import pod_template

APPS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "a key, units and a language": {
        "weather": {
            "provider": "openweathermap",
            "units": "imperial",
            "language": "de",
            "apiKeySecretRef": {"name": "openweathermap", "key": "api-key"},
        }
    },
    "behind a path": {"ingress": {"className": "nginx", "path": "/london", "annotations": {}}},
    "settings of the pods": {
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "pod": {
            "labels": {"team": "weather"},
            "annotations": {"example.com/note": "x"},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "spot", "operator": "Exists"}],
            "env": [{"name": "UPSTREAM_BUDGET_PER_MIN", "value": "10"}],
            "imagePullSecrets": [{"name": "registry"}],
            "serviceAccountName": "pages",
            "priorityClassName": "high",
        },
    },
}


def rendered() -> dict[str, Any]:
    """Render each app as this version of the operator does."""
    release = Release(version="2.0.0", colour="green", image="registry.example/weather:2.0.0")
    return {name: pod_template(parse_app(app_body(**spec)), release) for name, spec in APPS.items()}


if __name__ == "__main__":
    print(json.dumps(rendered(), indent=1))
