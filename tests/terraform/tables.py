"""The tables in the READMEs are made of the code: PYTHONPATH=tests python -m terraform.tables."""

import re
from collections.abc import Iterator
from pathlib import Path

from terraform.runner import SOURCE

LONGEST_DEFAULT = 70
READMES = tuple(
    sorted(path for path in SOURCE.rglob("README.md") if ".terraform" not in path.parts)
)


def tables(folder: Path) -> dict[str, str]:
    """Inputs and outputs of a folder, each as a Markdown table."""
    inputs = ["| Variable | What it is | Default |", "|---|---|---|"]
    for name, body in _blocks(folder / "variables.tf", "variable"):
        inputs.append(f"| `{name}` | {_description(body)} | {_default(body)} |")
    outputs = ["| Output | What it is |", "|---|---|"]
    for name, body in _blocks(folder / "outputs.tf", "output"):
        outputs.append(f"| `{name}` | {_description(body)} |")
    return {"inputs": "\n".join(inputs), "outputs": "\n".join(outputs)}


def written(readme: Path) -> str:
    """Write the README anew, with the tables that belong between its marks."""
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


def _default(body: str) -> str:
    found = re.search(
        r"^  default += (.*?)(?=\n\n|\n  [a-z]|\n?\Z)", body, re.MULTILINE | re.DOTALL
    )
    if not found:
        return "required"
    value = " ".join(found[1].split())
    return f"`{value}`" if len(value) <= LONGEST_DEFAULT else "see `variables.tf`"


if __name__ == "__main__":
    for readme in READMES:
        readme.write_text(written(readme))
