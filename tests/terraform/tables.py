"""The tables in the READMEs are made of the code: PYTHONPATH=tests python -m terraform.tables."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from terraform.runner import SOURCE

LONGEST = 70
READMES = tuple(
    sorted(path for path in SOURCE.rglob("README.md") if ".terraform" not in path.parts)
)


def tables(folder: Path) -> dict[str, str]:
    """Inputs and outputs of a folder as Markdown tables, and the types too long for a table."""
    inputs = ["| Variable | What it is | Type | Required | Default |", "|---|---|---|---|---|"]
    schemas = []
    for name, body in _blocks(folder / "variables.tf", "variable"):
        kind, default = _attribute(body, "type"), _attribute(body, "default")
        required = "no" if default else "yes"
        row = [f"`{name}`", _description(body), _type(kind), required, _default(default)]
        inputs.append(f"| {' | '.join(row)} |")
        if "object(" in kind:
            schemas.append(f"```hcl\n# {name}\n{textwrap.dedent(kind)}\n```\n")
    outputs = ["| Output | What it is |", "|---|---|"]
    for name, body in _blocks(folder / "outputs.tf", "output"):
        outputs.append(f"| `{name}` | {_description(body)} |")
    return {
        "inputs": "\n".join(inputs),
        "schemas": "\n".join(schemas).rstrip("\n"),
        "outputs": "\n".join(outputs),
    }


def written(readme: Path) -> str:
    """The README's text with the tables that belong between its marks."""
    text = readme.read_text()
    for kind, table in tables(readme.parent).items():
        before, begin, rest = text.partition(f"<!-- {kind} -->\n")
        _, end, after = rest.partition(f"<!-- /{kind} -->")
        text = f"{before}{begin}{table}\n{end}{after}" if begin and end else text
    return text


def _blocks(file: Path, kind: str) -> Iterator[tuple[str, str]]:
    if file.exists():
        yield from re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}$', file.read_text(), re.M | re.S)


def _description(body: str) -> str:
    [text] = re.findall(r'^  description = "(.*)"$', body, re.MULTILINE)
    return str(text).replace("|", "\\|")


def _attribute(body: str, name: str) -> str:
    """The value as it is written; empty when there is none."""
    found = re.search(rf"^  {name} += (.*?)(?=\n\n|\n  [a-z]|\n?\Z)", body, re.M | re.S)
    return textwrap.dedent(f"  {found[1]}") if found else ""


def _type(written: str) -> str:
    return (
        f"`{written.partition('(object(')[0]}(object)`, below"
        if "object(" in written
        else f"`{written}`"
    )


def _default(written: str) -> str:
    value = " ".join(written.split())
    if len(value) > LONGEST:
        return "see `variables.tf`"
    return f"`{value}`" if value else ""


if __name__ == "__main__":
    for readme in READMES:
        readme.write_text(written(readme))
