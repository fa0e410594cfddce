"""The whole stack as Terraform would make it, on mocks: every value, without an account.

A mock gives each computed attribute eight random characters. Where another resource uses such a
value it becomes the address that it came from (`@module.vpc[0].aws_vpc.this.id`), so that wiring
can be compared; in its own resource it says nothing and is left out.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from terraform.runner import Terraform

Json = dict[str, Any]

RANDOM = re.compile(r"\b[a-z0-9]{8}\b")
# Words of AWS's that look like a mock's.
WORDS = {"required", "instance", "internet", "userpool", "shutdown", "regional"}
TEST = "tests/values.tftest.hcl"
# The one thing that has no default: without it Terraform warns that nobody administers the cluster.
DEFAULTS = (
    '-var=access_entries={admins={principal_arn="arn:aws:iam::123456789012:role/Admins",'
    'policy="AmazonEKSClusterAdminPolicy"}}'
)
DOCUMENT = "aws_iam_policy_document"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What one apply made: values by address, what each waited for, policy documents, outputs."""

    resources: dict[str, Json]
    depends_on: dict[str, frozenset[str]]
    policies: dict[str, Any]
    outputs: Json


class RefusedError(Exception):
    """Terraform came to no end, or to a bad one; its diagnostics say why."""

    def __init__(self, diagnostics: list[Json]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics


def apply(terraform: Terraform, *arguments: str) -> Stack:
    """Apply once on mocks, with everything that this makes."""
    messages = run(terraform, TEST, *arguments)
    [state] = [each["test_state"] for each in messages if each["type"] == "test_state"]
    return _stack(state)


def run(terraform: Terraform, file: str, *arguments: str) -> list[Json]:
    """What Terraform says while it runs a file of tests; RefusedError when one of them fails."""
    said = terraform.run(".", "test", "-json", "-verbose", f"-filter={file}", *arguments)
    messages = [json.loads(line) for line in said.stdout.splitlines()]
    if said.returncode != 0:
        raise RefusedError([each["diagnostic"] for each in messages if each["@level"] == "error"])
    return messages


def _stack(state: Json) -> Stack:
    found = sorted(_resources(state["root_module"]), key=lambda each: len(_waited_for(each)))
    owners: dict[str, str] = {}
    for each in found:
        for path, value in _strings(each["values"]):
            if RANDOM.fullmatch(value) and value not in WORDS:
                owners.setdefault(value, f"@{each['address']}{path}")
    managed = [each for each in found if each["mode"] == "managed" or each["type"] == "aws_ami"]
    documents = {
        _document_key(each["address"]): _rendered(each["values"]["statement"], owners)
        for each in found
        if each["type"] == DOCUMENT
    }
    resources = {each["address"]: _own(each["address"], each["values"], owners) for each in managed}
    return Stack(
        resources=dict(sorted(resources.items())),
        depends_on={each["address"]: frozenset(_waited_for(each)) for each in managed},
        policies=dict(_policies(resources, documents)),
        outputs={name: _named(each["value"], owners) for name, each in state["outputs"].items()},
    )


def _resources(module: Json) -> Iterator[Json]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)


def _waited_for(resource: Json) -> list[str]:
    found: list[str] = resource.get("depends_on", [])
    return found


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, each in value.items():
                yield from _strings(each, f"{path}.{key}")
        case list():
            for each in value:
                yield from _strings(each, path)
        case str():
            yield path, value


def _named(value: Any, owners: dict[str, str]) -> Any:
    match value:
        case dict():
            return {key: _named(each, owners) for key, each in value.items()}
        case list():
            named = [_named(each, owners) for each in value]
            return sorted(named) if all(isinstance(each, str) for each in named) else named
        case str():
            return RANDOM.sub(lambda found: owners.get(found[0], found[0]), value)
    return value


def _own(address: str, values: Json, owners: dict[str, str]) -> Json:
    """Leave out what is empty and what only the mock said."""
    kept = {}
    for key, value in _named(values, owners).items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = [_own(address, each, owners) for each in value]
        own = isinstance(value, str) and value.startswith(f"@{address}.")
        mocks = own or key == "tags_all" or (key == "id" and address == "terraform_data.addresses")
        if value and not mocks:
            kept[key] = value
    return kept


def _document_key(address: str) -> str:
    return address.replace(f"data.{DOCUMENT}.", "").replace('["', "[").replace('"]', "]")


def _rendered(statements: list[Json], owners: dict[str, str]) -> list[Json]:
    """A document's statements, in the words of IAM's own JSON."""
    return [
        {
            "Sid": each["sid"],
            "Effect": each["effect"] or "Allow",
            "Principal": {who["type"]: sorted(who["identifiers"]) for who in each["principals"]},
            "Action": sorted(each["actions"] or []),
            "Resource": sorted(each["resources"] or []),
            "Condition": sorted(
                [c["test"], c["variable"], *c["values"]] for c in each["condition"]
            ),
        }
        for each in _named(statements, owners)
    ]


def _policies(resources: dict[str, Json], documents: Json) -> Iterator[tuple[str, Any]]:
    """Resource and attribute → the policy that ended there."""
    for address, values in sorted(resources.items()):
        for key in ("assume_role_policy", "policy"):
            if text := values.get(key):
                policy = json.loads(text)
                values[key] = "in policies.json"
                yield f"{address}.{key}", documents.get(policy.get("document"), policy)
