from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from weather_operator.kinds import DEPLOYMENT, NODE, WEATHER_APP, Key
from weather_operator.store import FIELD_MANAGER, Store

LONDON = Key(namespace="default", name="london")


def body(version: int, *, uid: str = "1", namespace: str = "default", **more: Any) -> Any:
    metadata = {"name": "london", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**metadata, "namespace": namespace}, **more}


def version(store: Store) -> int | None:
    found = store.get(DEPLOYMENT, LONDON)
    return int(found["metadata"]["resourceVersion"]) if found else None


@given(st.permutations([1, 9, 10, 11, 100]))
def test_the_newest_body_wins_in_whatever_order_they_come(versions: list[int]) -> None:
    store = Store()
    newest = 0
    for each in versions:
        assert store.put(DEPLOYMENT, body(each)) is (each > newest)
        newest = max(newest, each)
    assert version(store) == 100


def test_what_was_deleted_does_not_return_by_a_late_answer() -> None:
    store = Store()
    store.put(DEPLOYMENT, body(5))
    assert store.remove(DEPLOYMENT, body(7))
    assert not store.put(DEPLOYMENT, body(6))
    assert version(store) is None


def test_an_object_that_got_its_label_back_returns() -> None:
    store = Store()
    store.put(DEPLOYMENT, body(5))
    store.remove(DEPLOYMENT, body(6))
    assert store.put(DEPLOYMENT, body(7))
    assert version(store) == 7


def test_the_end_of_an_older_object_of_the_name_does_not_touch_the_new_one() -> None:
    store = Store()
    store.put(DEPLOYMENT, body(9, uid="new"))
    assert not store.remove(DEPLOYMENT, body(8, uid="old"))
    assert version(store) == 9


def test_a_new_object_of_the_name_replaces_the_old_one() -> None:
    store = Store()
    store.put(DEPLOYMENT, body(5, uid="old"))
    assert store.put(DEPLOYMENT, body(9, uid="new"))
    assert version(store) == 9


def test_what_a_list_lacks_is_gone_but_not_what_is_younger() -> None:
    store = Store()
    store.put(DEPLOYMENT, body(5))
    store.put(DEPLOYMENT, body(25, uid="2", namespace="young"))
    gone = store.absent(DEPLOYMENT, [], namespace="", resource_version="20")
    assert [each["metadata"]["uid"] for each in gone] == ["1"]
    assert store.absent(DEPLOYMENT, [body(5)], namespace="", resource_version="20") == []


def test_a_list_of_one_namespace_leaves_the_others_alone() -> None:
    store = Store()
    store.put(DEPLOYMENT, body(5))
    store.put(DEPLOYMENT, body(6, uid="2", namespace="other"))
    gone = store.absent(DEPLOYMENT, [], namespace="other", resource_version="20")
    assert [each["metadata"]["namespace"] for each in gone] == ["other"]


def test_only_what_is_read_later_is_kept() -> None:
    ours = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {}}
    theirs = {"manager": "kubectl", "operation": "Update", "fieldsV1": {}}
    app = body(1)
    app["metadata"]["managedFields"] = [theirs, ours]
    last = "kubectl.kubernetes.io/last-applied-configuration"
    app["metadata"]["annotations"] = {last: "{}", "mine": "yes"}
    store = Store()
    store.put(WEATHER_APP, app)
    kept = store.get(WEATHER_APP, LONDON)
    assert kept
    assert kept["metadata"]["managedFields"] == [ours]
    assert kept["metadata"]["annotations"] == {"mine": "yes"}
    assert last in app["metadata"]["annotations"], "the watch's own body is not ours to change"


def node(name: str, version: int, *, ready: bool = True, **addresses: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": name, "resourceVersion": str(version)},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "addresses": [{"type": t, "address": a} for t, a in addresses.items()],
            "images": ["big"],
        },
    }


def test_the_address_is_of_the_first_ready_node_and_external_first() -> None:
    store = Store()
    assert store.node_address() is None
    store.put(NODE, node("a", 1))
    assert store.node_address() is None
    store.put(NODE, node("c", 2, InternalIP="10.0.0.3"))
    store.put(NODE, node("b", 3, InternalIP="10.0.0.2", ExternalIP="203.0.113.2"))
    assert store.node_address() == "203.0.113.2"
    store.put(NODE, node("b", 4, ready=False, InternalIP="10.0.0.2"))
    assert store.node_address() == "10.0.0.3"
    store.put(NODE, node("c", 5, ready=False, InternalIP="10.0.0.3"))
    assert store.node_address() == "10.0.0.2"


def test_the_heartbeat_of_a_node_is_no_news() -> None:
    store = Store()
    assert store.put(NODE, node("a", 1, InternalIP="10.0.0.1"))
    assert not store.put(NODE, node("a", 2, InternalIP="10.0.0.1"))
    assert store.put(NODE, node("a", 3, InternalIP="10.0.0.9"))
