"""How two workers share the tests (`make test`), and which Kubernetes they run on.

Those of one folder share their clusters.
"""

import pytest
from weather_cluster import binaries
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class ByFolder(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
    """Gives a worker all tests of a folder below `tests`."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("/")[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of a control plane run on another Kubernetes (`make test-versions`)."""
    parser.addoption(
        "--kubernetes",
        choices=list(binaries.KUBERNETES_VERSIONS),
        default=binaries.DEFAULT_KUBERNETES,
        help="the minor version of the control plane that tests share",
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder | None:
    """Take the place of `--dist loadscope`'s own."""
    return ByFolder(config, log) if config.getoption("dist") == "loadscope" else None
