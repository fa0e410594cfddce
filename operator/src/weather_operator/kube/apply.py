"""Server-side apply: what an apply would change, so that one that changes nothing is not sent.

`difference` walks a manifest and the live object side by side, along what `managedFields` records
of the manager. That record says which fields are the manager's, and in its notation also which
lists are merged by key and which values are replaced whole, so no schema is needed here: a map or a
keyed list is entered, anything else is compared as one value. Each field that differs is named with
its cause. https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from weather_operator.kube.resources import Manifest

Owned = dict[str, Any]
Keys = tuple[str, ...]

_IDENTITY = ("namespace", "name", "uid", "resourceVersion")
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


class Cause(StrEnum):
    """Why a field of a live object is not as declared.

    EDITED: another took the field and changed it. MISSING: it was taken away, or never there.
    OUTDATED: the manager's own, with another value: an older one of ours, or what admission made of
    it. LEFTOVER: the manager's own, declared no longer. UNOWNED: right, but not the manager's, so
    it could not be taken back later.
    """

    EDITED = "edited"
    MISSING = "missing"
    OUTDATED = "outdated"
    LEFTOVER = "leftover"
    UNOWNED = "unowned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field that differs; `keys` is its path in the notation of managedFields."""

    cause: Cause
    keys: tuple[str, ...]
    declared: Any = None
    live: Any = None

    @property
    def path(self) -> str:
        """The field as a person writes it, such as spec.template.spec.containers[web].image."""
        return "".join(map(_step, self.keys)).removeprefix(".")

    @property
    def only_adds(self) -> bool:
        """Whether the live value has all that is declared, and more."""
        return self.cause is Cause.UNOWNED or _contains(self.live, self.declared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The fields that keep a live object from being as declared; false when there are none."""

    fields: tuple[Field, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fields)

    def paths(self, *causes: Cause) -> tuple[str, ...]:
        """Return the paths of the fields that differ for one of these causes."""
        return tuple(each.path for each in self.fields if each.cause in causes)


def difference(
    declared: Manifest, live: Manifest, *, manager: str, subresource: str = ""
) -> Difference:
    """Return what an apply of the manifest by the manager would change in the live object."""
    owned = managed_fields(live, manager=manager, subresource=subresource)
    fields = _compare(_without_identity(declared), live, owned or {}, ())
    return Difference(fields=tuple(fields))


def manager_of(live: Manifest, field: Field) -> str | None:
    """Return who else set the field last, None where managedFields does not tell."""
    others = (
        entry
        for entry in live["metadata"].get("managedFields", ())
        if _covers(entry.get("fieldsV1", {}), field.keys)
    )
    newest: Manifest = max(others, key=lambda entry: str(entry.get("time", "")), default={})
    manager: str | None = newest.get("manager")
    return manager


def managed_fields(live: Manifest, *, manager: str, subresource: str = "") -> Owned | None:
    """Return what the manager applied to the object, as fieldsV1, None if it never did."""
    for entry in live["metadata"].get("managedFields", ()):
        if is_applied_by(entry, manager) and entry.get("subresource", "") == subresource:
            fields: Owned = entry.get("fieldsV1", {})
            return fields
    return None


def is_applied_by(entry: Manifest, manager: str) -> bool:
    """Tell whether an entry of managedFields records an apply by the manager."""
    return entry.get("manager") == manager and entry.get("operation") == "Apply"


def _without_identity(declared: Manifest) -> Manifest:
    """Leave out what names the object: it is never recorded as anybody's."""
    fields = {key: value for key, value in declared.items() if key not in ("apiVersion", "kind")}
    metadata = {key: value for key, value in declared["metadata"].items() if key not in _IDENTITY}
    return {**fields, "metadata": metadata}


def _compare(declared: Any, live: Any, owned: Owned | None, keys: Keys) -> Iterator[Field]:
    if owned is None:
        yield from _compare_unowned(declared, live, keys)
    elif isinstance(declared, dict) and (owned or not keys):
        yield from _compare_fields(declared, live if isinstance(live, dict) else {}, owned, keys)
    elif isinstance(declared, list) and any(key.startswith("k:") for key in owned):
        yield from _compare_items(declared, live if isinstance(live, list) else [], owned, keys)
    elif not _is_same(declared, live, keys):
        yield Field(cause=Cause.OUTDATED, keys=keys, declared=declared, live=live)


def _compare_fields(
    declared: Manifest, live: Manifest, owned: Owned, keys: Keys
) -> Iterator[Field]:
    for name, value in declared.items():
        key = f"f:{name}"
        if value != {} or key in owned:
            yield from _compare(value, live.get(name), owned.get(key), (*keys, key))
    for key in owned:
        if key.startswith("f:") and key[2:] not in declared:
            yield Field(cause=Cause.LEFTOVER, keys=(*keys, key), live=live.get(key[2:]))


def _compare_items(
    declared: list[Any], live: list[Any], owned: Owned, keys: Keys
) -> Iterator[Field]:
    unmatched = list(declared)
    for key, fields in owned.items():
        if not key.startswith("k:"):
            continue
        selector = json.loads(key[2:])
        item, found = _find_item(declared, selector), _find_item(live, selector)
        if item is None:
            yield Field(cause=Cause.LEFTOVER, keys=(*keys, key), live=found)
            continue
        unmatched.remove(item)
        # An item's fields are listed only where it is merged field by field.
        yield from _compare(item, found, fields, (*keys, key))
    for item in unmatched:
        key = "k:" + json.dumps({"name": item.get("name", "")}, separators=(",", ":"))
        yield Field(cause=Cause.MISSING, keys=(*keys, key), declared=item)


def _compare_unowned(declared: Any, live: Any, keys: Keys) -> Iterator[Field]:
    if isinstance(declared, dict) and isinstance(live, dict) and declared:
        for name, value in declared.items():
            yield from _compare_unowned(value, live.get(name), (*keys, f"f:{name}"))
    elif live is None:
        yield Field(cause=Cause.MISSING, keys=keys, declared=declared)
    else:
        cause = Cause.UNOWNED if _is_same(declared, live, keys) else Cause.EDITED
        yield Field(cause=cause, keys=keys, declared=declared, live=live)


def _find_item(items: list[Any], selector: Manifest) -> Any | None:
    for item in items:
        if all(item.get(name) == value for name, value in selector.items()):
            return item
    return None


def _is_same(declared: Any, live: Any, keys: Keys) -> bool:
    """Compare two values; the API server drops what is empty and rewrites quantities."""
    if declared == live or (not declared and not live):
        return True
    if isinstance(declared, dict) and isinstance(live, dict):
        names = declared.keys() | live.keys()
        return all(
            _is_same(declared.get(name), live.get(name), (*keys, f"f:{name}")) for name in names
        )
    if isinstance(declared, list) and isinstance(live, list):
        pairs = zip(declared, live, strict=False)
        return len(declared) == len(live) and all(_is_same(*pair, keys) for pair in pairs)
    return "f:resources" in keys and _quantity(declared) == _quantity(live) is not None


def _contains(live: Any, declared: Any) -> bool:
    if isinstance(declared, dict) and isinstance(live, dict):
        return all(_contains(live.get(name), value) for name, value in declared.items())
    if isinstance(declared, list) and isinstance(live, list):
        pairs = zip(live, declared, strict=False)
        return len(declared) == len(live) and all(_contains(*pair) for pair in pairs)
    return bool(declared == live)


def _covers(owned: Owned, keys: Keys) -> bool:
    """Tell whether a record of fields has this one, or a value that it is a part of."""
    for key in keys:
        if key not in owned:
            return False
        owned = owned[key]
        if not owned:
            return True
    return True


def _quantity(value: Any) -> Decimal | None:
    """Read a quantity such as 0.5, 500m or 64Mi; the API server rounds resources up to 0.001."""
    text = str(value)
    suffix = next(
        (each for each in sorted(_SUFFIXES, key=len, reverse=True) if text.endswith(each)), ""
    )
    try:
        exact = Decimal(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, Decimal(1))
        return exact.quantize(_SUFFIXES["m"], ROUND_CEILING)
    except InvalidOperation:
        return None


def _step(key: str) -> str:
    if key.startswith("f:"):
        return f".{key[2:]}"
    return f"[{','.join(str(value) for value in json.loads(key[2:]).values())}]"
