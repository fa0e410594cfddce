"""What everything switched on becomes; PYTHONPATH=tests python -m terraform.golden writes it."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from terraform.mocked import Stack
from terraform.runner import REPOSITORY, Terraform, copied

from terraform import mocked

FOLDER = Path(__file__).parent / "golden"
EVERYTHING = f"-var-file={REPOSITORY / 'tests/terraform/everything.tfvars'}"
PARTS = ("resources", "policies", "outputs")

PUBLIC = 'module.eks.module.public_nodes.aws_eks_node_group.this["public"]'
PRIVATE = 'module.eks.module.private_nodes.aws_eks_node_group.this["private"]'

# A dependency that no value shows: what must not be there before, nor go after.
ORDER = (
    ("module.eks.aws_eks_cluster.eks_cluster", "module.eks.aws_iam_role_policy_attachment.cluster"),
    ("module.eks.aws_eks_cluster.eks_cluster", "module.eks.aws_iam_role_policy.cluster_key"),
    ("module.eks.aws_eks_cluster.eks_cluster", "module.eks.aws_cloudwatch_log_group.this"),
    ("module.eks.aws_eks_cluster.eks_cluster", "module.vpc.aws_route.private"),
    *(
        (group, before)
        for group in (PUBLIC, PRIVATE)
        for before in (
            "module.eks.aws_eks_addon.before_nodes",
            "module.eks.aws_iam_role_policy_attachment.node",
        )
    ),
    ('module.eks.aws_eks_addon.after_nodes["coredns"]', "module.eks.module.public_nodes."),
    ('module.eks.aws_eks_addon.after_nodes["coredns"]', "module.eks.module.private_nodes."),
    (PRIVATE, "module.eks.module.public_nodes.aws_eks_node_group.this"),
    ('module.eks.aws_eks_addon.after_nodes["coredns"]', "module.eks.aws_eks_fargate_profile.this"),
    (
        'module.eks.aws_eks_fargate_profile.this["weather"]',
        "module.eks.aws_iam_role_policy_attachment.fargate",
    ),
    (
        'module.eks.aws_eks_pod_identity_association.this["cluster-autoscaler"]',
        "module.eks.aws_eks_addon.before_nodes",
    ),
    (
        'module.eks.aws_eks_pod_identity_association.this["cluster-autoscaler"]',
        "module.eks.aws_iam_role_policy.pod",
    ),
    (
        "module.bastion[0].aws_instance.this",
        "module.bastion.aws_iam_role_policy_attachment.session_manager",
    ),
    ('module.vpc[0].aws_nat_gateway.this["eu-west-2a"]', "module.vpc.aws_route.public"),
    ('module.vpc[0].aws_eip.nat["eu-west-2a"]', "module.vpc.aws_internet_gateway.this"),
)


def differences(stack: Stack) -> list[str]:
    """How a stack with everything on differs from what is committed, value by value."""
    found = [
        f"{part}: {told}"
        for part in PARTS
        for told in _differences(_committed(part), asdict(stack)[part])
    ]
    late = [
        f"order: {address} does not wait for {before}"
        for address, before in ORDER
        if not any(each.startswith(before) for each in stack.depends_on.get(address, ()))
    ]
    return [*found, *late]


def addresses() -> set[str]:
    """All that Terraform makes of everything switched on."""
    return {address for address in _committed("resources") if ".data." not in address}


def write(stack: Stack) -> None:
    """Commit to what the stack is now."""
    FOLDER.mkdir(exist_ok=True)
    for part in PARTS:
        text = json.dumps(asdict(stack)[part], indent=1, sort_keys=True, ensure_ascii=False)
        (FOLDER / f"{part}.json").write_text(f"{text}\n")


def _committed(part: str) -> Any:
    return json.loads((FOLDER / f"{part}.json").read_text())


def _differences(wanted: Any, found: Any, path: str = "") -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}):
            yield from _differences(wanted.get(key), found.get(key), f"{path} {key}")
    elif wanted != found:
        yield f"{path.strip()} is {json.dumps(found)}, not {json.dumps(wanted)}"


def main() -> None:
    """Write the golden files anew."""
    with tempfile.TemporaryDirectory() as place:
        terraform = Terraform(copied(Path(place)))
        started = terraform.init(".", "-backend=false")
        assert started.returncode == 0, started.stderr
        write(mocked.apply(terraform, EVERYTHING))


if __name__ == "__main__":
    main()
