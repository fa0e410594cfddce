"""The verbs of the Kubernetes API: what path, what method and what query each of them is.

Whatever takes a Client needs no more than its methods, so an API server in memory can stand in for
one. The requests themselves are sent by a `Connection`.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

from weather_operator.kube.connection import Connection
from weather_operator.kube.errors import NotFoundError, RefusedError
from weather_operator.kube.resources import Key, Kind, Manifest, key_of

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_FOLLOW_SECONDS = 240
_PAGE = 100


class Client:
    """The verbs of one API server; what it does not grant is raised as an ApiError."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def apply(
        self, kind: Kind, manifest: Manifest, *, manager: str, force: bool, subresource: str = ""
    ) -> Manifest:
        """Apply a manifest as the manager and return the live object."""
        return await self.connection.request(
            "PATCH",
            "apply",
            kind,
            path_of(kind, key_of(manifest), subresource),
            query={"fieldManager": manager, "force": str(force).lower()},
            body=manifest,
            content_type=_APPLY,
        )

    async def get(self, kind: Kind, key: Key) -> Manifest | None:
        """Return the object, None where there is none; a kind that is not served is refused."""
        try:
            return await self.connection.request("GET", "get", kind, path_of(kind, key))
        except NotFoundError:
            return None

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object; one that exists already is a ConflictError."""
        path = path_of(kind, Key(namespace=key_of(manifest).namespace, name=""))
        return await self.connection.request("POST", "create", kind, path, body=manifest)

    async def replace(self, kind: Kind, key: Key, body: Manifest) -> Manifest:
        """Replace an object; one that is past the body's resourceVersion is a ConflictError."""
        return await self.connection.request("PUT", "replace", kind, path_of(kind, key), body=body)

    async def set_managed_fields(
        self, kind: Kind, live: Manifest, entries: Sequence[Manifest]
    ) -> Manifest:
        """Replace the record of who owns which field; an object that changed is a ConflictError."""
        version = live["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version, "managedFields": list(entries)}}
        path = path_of(kind, key_of(live))
        return await self.connection.request(
            "PATCH", "patch", kind, path, body=body, content_type=_MERGE
        )

    async def delete(self, kind: Kind, key: Key, *, uid: str) -> None:
        """Delete the object of this uid; none there is as good, another one is a ConflictError."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        with suppress(NotFoundError):
            await self.connection.request("DELETE", "delete", kind, path_of(kind, key), body=body)

    async def pages(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncGenerator[tuple[list[Manifest], str], None]:
        """Yield a list in pages, one at least, each with the resourceVersion of the list."""
        selection = {"labelSelector": labels, "fieldSelector": fields, "limit": str(_PAGE)}
        query = {name: value for name, value in selection.items() if value}
        path = path_of(kind, Key(namespace=namespace, name=""))
        while True:
            page = await self.connection.request("GET", "list", kind, path, query=query)
            metadata = page["metadata"]
            yield page["items"], metadata["resourceVersion"]
            if not (token := metadata.get("continue")):
                return
            query["continue"] = token

    async def list(
        self, kind: Kind, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> tuple[list[Manifest], str]:
        """Return the objects of a kind and the resourceVersion of the list."""
        found: list[Manifest] = []
        version = ""
        async for page, version in self.pages(  # noqa: B007 - the last one's
            kind, namespace=namespace, labels=labels, fields=fields
        ):
            found += page
        return found, version

    async def follow(
        self, kind: Kind, key: Key, *, since: str
    ) -> AsyncGenerator[Manifest | None, None]:
        """Yield each state of one object after a resourceVersion, None once it is deleted.

        Ends after some minutes, or when the server says so.
        """
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={key.name}",
            "resourceVersion": since,
            "timeoutSeconds": str(_FOLLOW_SECONDS),
        }
        path = path_of(kind, Key(namespace=key.namespace, name=""))
        events = self.connection.stream(kind, path, query, seconds=_FOLLOW_SECONDS)
        async with aclosing(events):
            async for event in events:
                yield None if event["type"] == "DELETED" else event["object"]

    async def serves(self, kinds: Sequence[Kind]) -> bool:
        """Tell whether the API server knows all these kinds of one group."""
        group = kinds[0]
        path = f"/apis/{group.api_version}"
        try:
            answer = await self.connection.request("GET", "discover", group, path)
        except RefusedError as error:
            if error.status == 404:
                return False
            raise
        served = {each["name"] for each in answer["resources"]}
        return served.issuperset(kind.plural for kind in kinds)


def path_of(kind: Kind, key: Key, subresource: str = "") -> str:
    """Return where an object is served; without a name, where its kind is."""
    root = "/apis/" if "/" in kind.api_version else "/api/"
    parts = [root + kind.api_version]
    if key.namespace:
        parts += ["namespaces", key.namespace]
    parts += [kind.plural, key.name, subresource]
    return "/".join(part for part in parts if part)
