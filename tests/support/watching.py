"""What changes while a test goes on, as the API server tells a watch: nothing is missed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.background import running
from support.deadlines import eventually
from support.operator import Site

READY_ENDPOINTS = "{.endpoints[*].conditions.ready}"
"""What to show of a Service's endpoints: a word for each pod."""


def endpoints_of(site: Site) -> tuple[str, ...]:
    """What to watch of a site to know where its visitors are sent."""
    return ("endpointslices", "-l", f"kubernetes.io/service-name={site.name}")


def ready_endpoints(site: Site) -> int:
    """How many pods the site's Service sends visitors to."""
    slices = site.shell.get("-n", site.namespace, *endpoints_of(site))["items"]
    endpoints = [each for body in slices for each in body.get("endpoints") or ()]
    return sum(each["conditions"].get("ready", False) for each in endpoints)


def wait_for_endpoints(site: Site, number: int) -> None:
    """Return when visitors are sent to so many pods, which is a moment after these are ready."""
    eventually(lambda: ready_endpoints(site) == number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line for each state that the objects have had since the record began."""

    file: Path

    def lines(self) -> list[str]:
        """The states so far, the first one included."""
        whole, _, _ = self.file.read_text().rpartition("\n")
        return whole.split("\n")

    def numbers(self) -> list[int]:
        """The states so far, where each is a number."""
        return [int(line) for line in self.lines()]


@contextmanager
def watching(site: Site, *what: str, show: str) -> Iterator[Record]:
    """Record, while the context lasts, what `kubectl get` shows of the objects by a JSONPath.

    It must do without `range`: kubectl's watch shows that of the first state alone.
    """
    with tempfile.TemporaryDirectory() as directory:
        record = Record(file=Path(directory) / "record")
        words = ("kubectl", "-n", site.namespace, "get", *what, "--watch")
        with record.file.open("w") as output:
            command = [*words, "-o", f'jsonpath={show}{{"\\n"}}']
            with running(command, output=output, environment=site.shell.environment):
                eventually(lambda: record.file.stat().st_size)
                yield record
