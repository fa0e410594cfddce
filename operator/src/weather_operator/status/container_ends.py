"""How a container ended or why it could not begin, and whether that is its node's doing."""

from weather_operator.kube.resources import Manifest

# What a kubelet says of a container that it cannot make because it, its runtime or its node is
# late, away or full.
_OF_THE_NODE = (
    *("timed out", "deadline exceeded", "failed to sync", "failed to reserve", "connection re"),
    *("error while dialing", "input/output error", "no space left", "quota exceeded"),
    *("cannot allocate memory", "too many open files", "resource temporarily unavailable"),
)
# How one ended of which nobody knows, since its node was away.
_UNSEEN = frozenset({"ContainerStatusUnknown", "Unknown"})
# One that could not be begun: only its message says why.
_NOT_BEGUN = frozenset({"StartError", "ContainerCannotRun"})


def is_of_the_node(message: str) -> bool:
    """Tell whether what a kubelet says of a container is its node's doing, as far as words show."""
    words = message.lower()
    return any(each in words for each in _OF_THE_NODE)


def is_its_own(ended: Manifest) -> bool:
    """Tell whether a container ended by itself, as far as anybody knows."""
    reason = ended.get("reason")
    if reason in _NOT_BEGUN:
        return not is_of_the_node(ended.get("message", ""))
    return reason not in _UNSEEN


def has_done_its_work(container: Manifest) -> bool:
    """Tell whether a container has ended well."""
    ended = container.get("state", {}).get("terminated")
    return ended is not None and ended["exitCode"] == 0


def last_end(container: Manifest) -> Manifest | None:
    """Return how a container ended before it was started again, None if it never was."""
    ended: Manifest | None = container.get("lastState", {}).get("terminated")
    return ended


def how(ended: Manifest) -> str:
    """Say how a container ended."""
    words = f"ended with {ended.get('reason', 'Error')}, exit code {ended['exitCode']}"
    why = ended.get("message") if ended.get("reason") in _NOT_BEGUN else None
    return f"{words}: {why}" if why else words
