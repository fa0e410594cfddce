"""Bodies that share what is the same in all of them.

A decoder makes new strings, maps and lists for every document, though of thousands of objects most
have the same field names, the same `managedFields`, and in their specs the same parts. `compact`
returns an equal body that shares them with the others. So nobody may change a body that went
through it.
"""

import sys
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any

from weather_operator.kube.resources import Manifest

_LONGEST_INTERNED = 64
_SHARED_PARTS = 4096
_PER_OBJECT = 'k:{"uid":'
"""In the notation of managedFields, what is keyed by a uid is no other object's."""

_shared: OrderedDict[Hashable, Any] = OrderedDict()
"""Maps and lists by what is in them, the latest used last.

Parts are named by their id in the keys of larger ones, which keep them alive: so no other object
has that id while the key is there.
"""


def compact(body: Manifest, former: Manifest | None = None) -> Manifest:
    """Return an equal body that takes less memory, as long as nobody changes it.

    What has not changed since the `former` body of the same object is that one's own: most events
    tell of a new status, and to look through everything else would be most of what they cost.
    """
    compacted: Manifest = {}
    known, name = former or {}, body["metadata"]["name"]
    for field, value in body.items():
        if field in known and known[field] == value:
            compacted[field] = known[field]
        elif field == "metadata":
            compacted[field] = _metadata(value, known.get(field, {}))
        else:
            compacted[field] = _share(value, name)[0] if field == "spec" else _intern(value)
    return compacted


def _metadata(metadata: Manifest, known: Manifest) -> Manifest:
    compacted: Manifest = _intern({k: v for k, v in metadata.items() if k != "managedFields"})
    if entries := metadata.get("managedFields"):
        before = known.get("managedFields", ())
        compacted["managedFields"] = [_entry(each, before, metadata["name"]) for each in entries]
    return compacted


def _entry(entry: Manifest, before: Iterable[Manifest], name: str) -> Manifest:
    fields = entry.get("fieldsV1", {})
    same = (each["fieldsV1"] for each in before if each["fieldsV1"] == fields)
    compacted: Manifest = _intern({k: v for k, v in entry.items() if k != "fieldsV1"})
    compacted["fieldsV1"] = next(same, None) or _share(fields, name)[0]
    return compacted


def _intern(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(name): _intern(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_intern(each) for each in value]
    if isinstance(value, str) and len(value) <= _LONGEST_INTERNED:
        return sys.intern(value)
    return value


def _share(value: Any, own: str) -> tuple[Any, Hashable]:
    """Return an equal value, and what it is known by; None where it names the object itself.

    What is one object's `own` would only take others' place.
    """
    if isinstance(value, dict):
        found: Any = {}
        key: list[Hashable] = ["map"]
        is_own = False
        for name, each in value.items():
            name = sys.intern(name)
            found[name], part = _share(each, own)
            is_own = is_own or part is None or name.startswith(_PER_OBJECT)
            key += (name, part)
        return (found, None) if is_own else _shared_as(tuple(key), found)
    if isinstance(value, list):
        items = [_share(each, own) for each in value]
        listed = [each for each, _ in items]
        if not all(key for _, key in items):
            return listed, None
        return _shared_as(("list", *(key for _, key in items)), listed)
    if isinstance(value, str):
        text = sys.intern(value) if len(value) <= _LONGEST_INTERNED else value
        return text, None if own in text else ("text", text)
    return value, (type(value), value)


def _shared_as(key: Hashable, value: Any) -> tuple[Any, Hashable]:
    found = _shared.setdefault(key, value)
    _shared.move_to_end(key)
    if len(_shared) > _SHARED_PARTS:
        _shared.popitem(last=False)
    return found, ("part", id(found))
