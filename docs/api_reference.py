"""Prints docs/api.md, the reference of the API, from the definitions in crds/ alone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
KINDS = ("weatherapp", "weatherrelease")

Schema = dict[str, Any]

_LITERAL = re.compile(r"'((?:[^'\\\\]|\\\\.)*)'")


def reference() -> str:
    """Return the page: for each kind its columns, then every field below spec and status."""
    texts = [(ROOT / "crds" / f"{kind}.yaml").read_text() for kind in KINDS]
    definitions = [yaml.load(text, Loader=yaml.CSafeLoader) for text in texts]
    head = [
        "# API reference",
        "",
        "Made from [`crds/`](../crds) by `make docs`. `kubectl explain weatherapp.spec` prints the"
        " same on a cluster.",
    ]
    return "\n".join([*head, *(line for each in definitions for line in _kind(each)), ""])


def _kind(definition: Schema) -> Iterator[str]:
    spec = definition["spec"]
    version, names = spec["versions"][0], spec["names"]
    schema = version["schema"]["openAPIV3Schema"]
    yield from ("", f"## {names['kind']}", "", schema["description"], "")
    yield (
        f"`apiVersion: {spec['group']}/{version['name']}`, {spec['scope'].lower()}, "
        f"`kubectl get {names['plural']}` or `{', '.join(names['shortNames'])}`."
    )
    yield from ("", *_rules(schema, "the object"))
    for part in ("spec", "status"):
        if part in schema["properties"]:
            yield from _part(part, schema["properties"][part])


def _part(part: str, schema: Schema) -> Iterator[str]:
    yield from ("", f"### {part}", "", "| Field | Type | Default | Meaning |", "|---|---|---|---|")
    rules = list(_rules(schema, f"`{part}`"))
    for path, field, required in _fields(schema, ""):
        default = "required" if required else _default(field.get("default"))
        # kubectl explain shows no defaults, so descriptions end with them.
        meaning = re.sub(r" The default is \S+\.$", "", field["description"]).replace("|", "\\|")
        yield f"| `{path}` | {_type(field)} | {default} | {meaning} |"
        rules += _rules(field, f"`{path}`")
    if rules:
        yield from ("", "Refused at `kubectl apply`:", "", *rules)


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Give every field below a schema by its path; items of a list are `path[]`."""
    if schema.get("type") == "array":
        yield from _fields(schema["items"], f"{path}[]")
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, field, name in schema.get("required", ())
        yield from _fields(field, here)


def _rules(schema: Schema, where: str) -> Iterator[str]:
    for part in (schema, schema.get("additionalProperties", {})):
        for rule in part.get("x-kubernetes-validations", ()):
            yield f"- {where}: {rule.get('message') or _sentence(rule['messageExpression'])}"


def _sentence(expression: str) -> str:
    """Return what a CEL expression says, with … for what it puts in; choices are parted by /."""
    literals = [text.replace('\\"', '"') for text in _LITERAL.findall(expression)]
    joint = " / " if " ? " in expression else "…"
    return re.sub("%[a-z]", "…", joint.join(literals))


def _type(field: Schema) -> str:
    if "enum" in field:
        return " \\| ".join(str(each) for each in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    limits = [f"{field[name]}" for name in ("minimum", "maximum") if name in field]
    return f"{field['type']} {' to '.join(limits)}".strip()


def _default(default: Any) -> str:
    # An object's default only stands for those of its fields, which follow it.
    return "" if default is None or isinstance(default, dict) else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    print(reference(), end="")
