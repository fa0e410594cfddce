"""What EKS takes as configuration of an add-on: the top of each schema."""

import json
from typing import Any

from terraform.aws.refusals import invalid

OBJECT, LIST, NUMBER = dict, list, (int, float)
_PODS = {
    "affinity": OBJECT,
    "nodeSelector": OBJECT,
    "podAnnotations": OBJECT,
    "podLabels": OBJECT,
    "resources": OBJECT,
    "tolerations": LIST,
}
# Key → type of its value, or the strings that it may be.
SCHEMAS: dict[str, dict[str, Any]] = {
    "vpc-cni": {
        "affinity": OBJECT,
        "enableNetworkPolicy": ("true", "false"),
        "env": OBJECT,
        "init": OBJECT,
        "nodeAgent": OBJECT,
        "resources": OBJECT,
        "tolerations": LIST,
    },
    "kube-proxy": {"ipvs": OBJECT, "mode": ("iptables", "ipvs", "nftables"), "resources": OBJECT},
    "eks-pod-identity-agent": {**_PODS, "agent": OBJECT, "init": OBJECT},
    "coredns": {
        **_PODS,
        "autoScaling": OBJECT,
        "computeType": ("Fargate", "ec2"),
        "corefile": str,
        "podDisruptionBudget": OBJECT,
        "replicaCount": NUMBER,
        "topologySpreadConstraints": LIST,
    },
    "metrics-server": {**_PODS, "addonResizer": OBJECT, "args": LIST, "replicas": NUMBER},
}


def require_configuration(addon: str, text: str) -> None:
    """Refuse what the add-on's schema does not know."""
    try:
        values = json.loads(text)
    except ValueError:
        invalid("ConfigurationValue provided in request is not valid JSON or YAML")
    for key, value in values.items():
        if key not in SCHEMAS[addon]:
            _refuse(f"$.{key}: is not defined in the schema")
        known = SCHEMAS[addon][key]
        if isinstance(known, tuple) and isinstance(known[0], str):
            if value not in known:
                _refuse(f"$.{key}: does not have a value in the enumeration {list(known)}")
        elif not isinstance(value, known):
            _refuse(f"$.{key}: {type(value).__name__} found")


def _refuse(why: str) -> None:
    invalid(
        "ConfigurationValue provided in request is not supported: "
        f"Json schema validation failed with error: [{why}]"
    )
