"""Revisions: the one that a pod template is of, and those that ReplicaSets still have."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from weather_operator.kube.resources import Manifest, controller_of
from weather_operator.render.labels import COLOUR_LABEL, VERSION_LABEL
from weather_operator.render.pods import CONTAINER, REVISION_ANNOTATION

_HASH_LABEL = "pod-template-hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a pod template stands for: by its hash, in hexadecimal digits, it is known."""

    revision: str
    version: str = field(compare=False)
    colour: str = field(compare=False)
    image: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.version} ({self.colour})"

    def manifest(self) -> Manifest:
        """Return the revision as the status shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSetRevision:
    """A revision as a ReplicaSet has it: its template, and how many of its pods there are now.

    `created_at` is in RFC 3339, empty where no ReplicaSet has the template yet.
    """

    revision: Revision
    template: Manifest
    desired: int
    available: int
    created_at: str = ""

    @property
    def is_intact(self) -> bool:
        """Whether there are pods of it and all of them are available."""
        return self.available >= self.desired > 0

    @property
    def is_broken(self) -> bool:
        """Whether there are pods of it and none of them is available."""
        return self.available == 0 < self.desired


def revision_in(template: Manifest) -> Revision | None:
    """Return the revision that a rendered or live template carries, None if it is not ours."""
    metadata: Manifest = template.get("metadata", {})
    revision = metadata.get("annotations", {}).get(REVISION_ANNOTATION)
    if revision is None:
        return None
    labels = metadata.get("labels", {})
    return Revision(
        revision=revision,
        version=labels.get(VERSION_LABEL, ""),
        colour=labels.get(COLOUR_LABEL, ""),
        image=next(
            (each["image"] for each in template["spec"]["containers"] if each["name"] == CONTAINER),
            "",
        ),
    )


def as_declared(live: Revision | None, desired: Revision | None) -> Revision | None:
    """Return the live revision with the image that was declared, as far as that is known.

    In the live template is what a policy of the cluster made of it.
    """
    return desired if live == desired else live


def replica_set_revisions(
    replica_sets: Iterable[Manifest], deployment: Manifest
) -> tuple[ReplicaSetRevision, ...]:
    """Return the revisions of the Deployment's ReplicaSets, those with most available pods first.

    Several have the same revision where somebody edited the template by hand: `genuine` tells which
    is ours. The Deployment's own template comes last: no ReplicaSet may have it yet.
    """
    uid = deployment["metadata"]["uid"]
    own = (each for each in replica_sets if (controller_of(each) or {}).get("uid") == uid)
    found = sorted(filter(None, map(_read, own)), key=lambda each: -each.available)
    live = _read({"spec": {"template": deployment["spec"]["template"]}})
    return (*found, live) if live else tuple(found)


def genuine(
    revisions: Iterable[ReplicaSetRevision], revision: str, *, image: str | None
) -> ReplicaSetRevision | None:
    """Return a revision with the template that we wrote and all its pods, None if there is none.

    Somebody's edit of the template keeps the annotation that names the revision, and may have all
    the pods. Ours has the `image` that was recorded, if one was, and was there first.
    """
    found = [each for each in revisions if each.revision.revision == revision]

    def doubt(each: ReplicaSetRevision) -> tuple[bool, bool, str]:
        is_edited = image is not None and each.revision.image != image
        return (is_edited, not each.created_at, each.created_at)

    if not found:
        return None
    return replace(
        min(found, key=doubt),
        desired=sum(each.desired for each in found),
        available=sum(each.available for each in found),
    )


def _read(replica_set: Manifest) -> ReplicaSetRevision | None:
    template = _without_hash(replica_set["spec"]["template"])
    revision = revision_in(template)
    if revision is None:
        return None
    return ReplicaSetRevision(
        revision=revision,
        template=template,
        desired=replica_set["spec"].get("replicas", 0),
        available=replica_set.get("status", {}).get("availableReplicas", 0),
        created_at=replica_set.get("metadata", {}).get("creationTimestamp", ""),
    )


def _without_hash(template: Manifest) -> Manifest:
    """Return the template as it was in the Deployment."""
    metadata = {
        name: value for name, value in template["metadata"].items() if name != "creationTimestamp"
    }
    labels = metadata.get("labels", {})
    metadata["labels"] = {name: labels[name] for name in labels if name != _HASH_LABEL}
    return {**template, "metadata": metadata}
