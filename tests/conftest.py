"""How two workers share the tests (`make test`): those of one folder share their clusters."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class ByFolder(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
    """Gives a worker all tests of a folder below `tests`."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("/")[1]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    """Take the place of `--dist loadscope`'s own."""
    return ByFolder(config, log)
