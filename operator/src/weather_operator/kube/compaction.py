"""Bodies that share what is the same in all of them.

A decoder makes new strings and new maps for every document, though thousands of objects have the
same field names, and mostly the same `managedFields`. `compact` returns an equal body that shares
them with the others. So nobody may change a body that went through it.
"""

import sys
from typing import Any

from weather_operator.kube.resources import Manifest

_LONGEST_INTERNED = 64
_SHARED_NODES = 4096
_PER_OBJECT = 'k:{"uid":'
"""In the notation of managedFields, what is keyed by a uid is no other object's."""

_Token = tuple[tuple[str, int], ...]

_shared: dict[_Token, dict[str, Any]] = {}


def compact(body: Manifest) -> Manifest:
    """Return an equal body that takes less memory, as long as nobody changes it."""
    compacted: Manifest = _intern(body)
    metadata = compacted["metadata"]
    if entries := metadata.get("managedFields"):
        metadata["managedFields"] = [
            {**entry, "fieldsV1": _share(entry.get("fieldsV1", {}))[0]} for entry in entries
        ]
    return compacted


def _intern(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(name): _intern(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_intern(each) for each in value]
    if isinstance(value, str) and len(value) <= _LONGEST_INTERNED:
        return sys.intern(value)
    return value


def _share(fields: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return an equal map of maps, and whether it may be of other objects too."""
    children = {name: _share(each) for name, each in fields.items()}
    found = {name: each for name, (each, _) in children.items()}
    if any(name.startswith(_PER_OBJECT) or not common for name, (_, common) in children.items()):
        return found, False
    token = tuple((name, id(each)) for name, each in found.items())
    if token not in _shared:
        if len(_shared) >= _SHARED_NODES:
            # What is not shared from now on costs memory, and no more than that.
            return found, False
        _shared[token] = found
    return _shared[token], True
