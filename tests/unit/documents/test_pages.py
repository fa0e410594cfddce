import re
from pathlib import Path

import pytest
from support.documents import anchors, links, pages
from support.kubectl import ROOT

SPECIFICATION = ROOT / "docs" / "specification.md"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_every_test_that_the_specification_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+?\.(?:py|hcl))(?:::(\w+))?`", SPECIFICATION.read_text())
    assert named
    for path, test in named:
        source = (ROOT / path).read_text()
        assert not test or f"def {test}(" in source, f"{path} has no test {test}"
