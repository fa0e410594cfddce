"""Server-side apply: what an apply would change, so that one that changes nothing is not sent.

`difference` walks a manifest and the live object side by side, along what `managedFields` records
of the manager. That record says which fields are the manager's, and in its notation also which
lists are merged by key and which values are replaced whole, so no schema is needed here: a map or a
keyed list is entered, anything else is compared as one value. Each path that differs is put under
its cause. https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from weather_operator.kube.resources import Manifest

Owned = dict[str, Any]

_IDENTITY = ("namespace", "name", "uid", "resourceVersion")
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The fields that keep a live object from being as declared; false when there are none.

    `edited`: another took the field and changed it. `missing`: it was taken away, or never there.
    `outdated`: the manager's own older value. `leftover`: the manager's own, declared no longer.
    `unowned`: right, but not the manager's, so it could not be taken back later.
    """

    edited: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    leftover: tuple[str, ...] = ()
    unowned: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.edited, self.missing, self.outdated, self.leftover, self.unowned))


def difference(
    declared: Manifest, live: Manifest, *, manager: str, subresource: str = ""
) -> Difference:
    """Return what an apply of the manifest by the manager would change in the live object."""
    owned = managed_fields(live, manager=manager, subresource=subresource)
    found: dict[str, list[str]] = {}
    for cause, path in _compare(_without_identity(declared), live, owned or {}, ""):
        found.setdefault(cause, []).append(path)
    return Difference(**{cause: tuple(paths) for cause, paths in found.items()})


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


def _compare(declared: Any, live: Any, owned: Owned | None, path: str) -> Iterator[tuple[str, str]]:
    if owned is None:
        yield from _compare_unowned(declared, live, path)
    elif isinstance(declared, dict) and (owned or not path):
        yield from _compare_fields(declared, live if isinstance(live, dict) else {}, owned, path)
    elif isinstance(declared, list) and any(key.startswith("k:") for key in owned):
        yield from _compare_items(declared, live if isinstance(live, list) else [], owned, path)
    elif not _is_same(declared, live, path):
        yield "outdated", path


def _compare_fields(
    declared: Manifest, live: Manifest, owned: Owned, path: str
) -> Iterator[tuple[str, str]]:
    for name, value in declared.items():
        if value != {} or f"f:{name}" in owned:
            yield from _compare(value, live.get(name), owned.get(f"f:{name}"), _child(path, name))
    for key in owned:
        if key.startswith("f:") and key[2:] not in declared:
            yield "leftover", _child(path, key[2:])


def _compare_items(
    declared: list[Any], live: list[Any], owned: Owned, path: str
) -> Iterator[tuple[str, str]]:
    unmatched = list(declared)
    for key, fields in owned.items():
        if not key.startswith("k:"):
            continue
        selector = json.loads(key[2:])
        item = _find_item(declared, selector)
        here = f"{path}[{','.join(str(value) for value in selector.values())}]"
        if item is None:
            yield "leftover", here
            continue
        unmatched.remove(item)
        # An item's fields are listed only where it is merged field by field.
        yield from _compare(item, _find_item(live, selector), fields, here)
    for item in unmatched:
        yield "missing", f"{path}[{item.get('name', '')}]"


def _compare_unowned(declared: Any, live: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(declared, dict) and isinstance(live, dict) and declared:
        for name, value in declared.items():
            yield from _compare_unowned(value, live.get(name), _child(path, name))
    elif live is None:
        yield "missing", path
    else:
        yield ("unowned" if _is_same(declared, live, path) else "edited"), path


def _find_item(items: list[Any], selector: Manifest) -> Any | None:
    for item in items:
        if all(item.get(name) == value for name, value in selector.items()):
            return item
    return None


def _is_same(declared: Any, live: Any, path: str) -> bool:
    """Compare two values; the API server drops what is empty and rewrites quantities."""
    if declared == live or (not declared and not live):
        return True
    if isinstance(declared, dict) and isinstance(live, dict):
        names = declared.keys() | live.keys()
        return all(
            _is_same(declared.get(name), live.get(name), _child(path, name)) for name in names
        )
    if isinstance(declared, list) and isinstance(live, list):
        pairs = zip(declared, live, strict=False)
        return len(declared) == len(live) and all(_is_same(*pair, path) for pair in pairs)
    return ".resources." in path and _quantity(declared) == _quantity(live) is not None


def _quantity(value: Any) -> Decimal | None:
    """Read a quantity such as 0.5, 500m or 64Mi."""
    text = str(value)
    suffix = next(
        (each for each in sorted(_SUFFIXES, key=len, reverse=True) if text.endswith(each)), ""
    )
    try:
        return Decimal(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, Decimal(1))
    except InvalidOperation:
        return None


def _child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
