from typing import Any

from kubectl_weather import preview
from kubectl_weather.preview import Edit
from support.manifests import app_body
from weather_operator.model.parsing import parse_app
from weather_operator.render import REVISION_ANNOTATION


def deployment(revision: str, **more: Any) -> dict[str, Any]:
    metadata = {"annotations": {REVISION_ANNOTATION: revision}}
    template = {"metadata": metadata, "spec": {"containers": [{"name": "web", **more}]}}
    return {"metadata": {"name": "london", "generation": 1}, "spec": {"template": template}}


def pod(name: str, revision: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": {REVISION_ANNOTATION: revision}}}


def test_edits_name_the_field_and_skip_bookkeeping() -> None:
    after = deployment("a", image="new", env=[{"name": "X", "value": "1"}])
    after["metadata"]["generation"] = 2
    after["status"] = {"replicas": 3}
    assert preview.edits(deployment("a", image="old"), after) == (
        Edit(path="spec.template.spec.containers[web].image", before="old", after="new"),
        Edit(
            path="spec.template.spec.containers[web].env",
            before=None,
            after=[{"name": "X", "value": "1"}],
        ),
    )
    assert preview.edits(after, deployment("a", image="new"))[0].after is None


def test_pods_of_the_revision_that_comes_stay() -> None:
    pods = [pod("old", "a"), pod("new", "b")]
    old, new = deployment("a", image="1"), deployment("b", image="2")
    assert preview.replaced(pods, old, new) == ("old",)
    assert preview.replaced(pods, old, old) == ()
    assert preview.replaced(pods, None, new) == ()


def test_a_template_changed_by_hand_is_put_back_in_every_pod() -> None:
    by_hand, ours = deployment("a", image="hand"), deployment("a", image="1")
    assert preview.replaced([pod("one", "a")], by_hand, ours) == ("one",)


def test_while_pods_become_more_or_fewer_the_smaller_number_serves() -> None:
    app = parse_app(app_body())
    two, three = ({"spec": {"replicas": number}} for number in (2, 3))
    assert (preview.least_available(app, two, three), preview.least_available(app, three, two)) == (
        2,
        2,
    )
    assert (
        preview.least_available(app, None, three),
        preview.least_available(app, None, None),
    ) == (3, 0)
