from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from weather_operator.controller.event_handlers import new_cache
from weather_operator.kube.cache import Cache
from weather_operator.kube.resources import DEPLOYMENT, NODE, Key
from weather_operator.model import FIELD_MANAGER, WEATHER_APP
from weather_operator.status.url import node_address

LONDON = Key(namespace="default", name="london")


def body(version: int, *, uid: str = "1", namespace: str = "default", **more: Any) -> Any:
    metadata = {"name": "london", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**metadata, "namespace": namespace}, **more}


def version(cache: Cache) -> int | None:
    found = cache.get(DEPLOYMENT, LONDON)
    return int(found["metadata"]["resourceVersion"]) if found else None


@given(st.permutations([1, 9, 10, 11, 100]))
def test_the_newest_body_wins_in_whatever_order_they_come(versions: list[int]) -> None:
    cache = new_cache()
    newest = 0
    for each in versions:
        assert cache.put(DEPLOYMENT, body(each, spec={"as of": each})) is (each > newest)
        newest = max(newest, each)
    assert version(cache) == 100


def test_a_new_version_of_the_same_content_is_kept_but_is_no_news() -> None:
    cache = new_cache()
    assert cache.put(DEPLOYMENT, body(5, spec={"replicas": 1}))
    assert not cache.put(DEPLOYMENT, body(6, spec={"replicas": 1}))
    assert version(cache) == 6
    assert cache.put(DEPLOYMENT, body(7, spec={"replicas": 2}))


def test_what_was_deleted_does_not_return_by_a_late_answer() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(5))
    assert cache.remove(DEPLOYMENT, body(7))
    assert not cache.put(DEPLOYMENT, body(6))
    assert version(cache) is None


def test_an_object_that_got_its_label_back_returns() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(5))
    cache.remove(DEPLOYMENT, body(6))
    assert cache.put(DEPLOYMENT, body(7))
    assert version(cache) == 7


def test_the_end_of_an_older_object_of_the_name_does_not_touch_the_new_one() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(9, uid="new"))
    assert not cache.remove(DEPLOYMENT, body(8, uid="old"))
    assert version(cache) == 9


def test_a_new_object_of_the_name_replaces_the_old_one() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(5, uid="old"))
    assert cache.put(DEPLOYMENT, body(9, uid="new"))
    assert version(cache) == 9


def test_a_late_event_of_an_older_object_of_the_name_does_not_replace_the_new_one() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(9, uid="new"))
    assert not cache.put(DEPLOYMENT, body(8, uid="old"))
    assert not cache.remove(DEPLOYMENT, body(8, uid="old"))
    assert version(cache) == 9


def test_a_late_loss_of_the_label_does_not_take_what_has_it_again() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(7))
    assert not cache.remove(DEPLOYMENT, body(6))
    assert version(cache) == 7


def test_deletions_are_remembered_however_many_and_only_for_as_long_as_answers_are_late() -> None:
    seconds = 0.0
    cache = Cache([DEPLOYMENT], clock=lambda: seconds)
    for number in range(10_000):
        cache.remove(DEPLOYMENT, body(number + 1, uid=str(number)))
    assert not cache.put(DEPLOYMENT, body(1, uid="0"))
    assert len(cache._deletions) == 10_000
    seconds = 121
    cache.remove(DEPLOYMENT, body(10_001, uid="last"))
    assert list(cache._deletions) == ["last"]


def missing(
    cache: Cache, *uids: str, before: int, namespace: str = "", list_version: int
) -> list[str]:
    gone = cache.missing_from_list(
        DEPLOYMENT, uids, namespace=namespace, before=before, resource_version=str(list_version)
    )
    return [each["metadata"]["uid"] for each in gone]


def test_what_a_list_lacks_is_gone_but_not_what_is_younger() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(5))
    before = cache.moment()
    cache.put(DEPLOYMENT, body(25, uid="2", namespace="young"))
    cache.put(DEPLOYMENT, body(15, uid="3", namespace="late"))
    assert missing(cache, before=before, list_version=20) == ["1", "3"]
    assert missing(cache, "1", before=before, list_version=20) == ["3"]


def test_a_list_of_one_namespace_leaves_the_others_alone() -> None:
    cache = new_cache()
    cache.put(DEPLOYMENT, body(5))
    cache.put(DEPLOYMENT, body(6, uid="2", namespace="other"))
    assert missing(cache, before=9, namespace="other", list_version=20) == ["2"]


def test_a_list_is_right_about_all_that_was_known_before_it() -> None:
    """So it is after the API server was restored from a backup: versions start again there."""
    cache = new_cache()
    cache.put(DEPLOYMENT, body(100, spec={"of": "the future"}))
    cache.remove(DEPLOYMENT, body(101, uid="2", namespace="restored"))
    cache.put(DEPLOYMENT, body(102, uid="3", namespace="never"))
    before = cache.moment()
    listed = [body(50), body(51, uid="2", namespace="restored")]
    assert [cache.retract(DEPLOYMENT, each, before=before) for each in listed] == [True, True]
    assert [cache.put(DEPLOYMENT, each) for each in listed] == [True, True]
    assert version(cache) == 50
    assert missing(cache, "1", "2", before=before, list_version=60) == ["3"]
    assert not cache.retract(DEPLOYMENT, body(50), before=cache.moment()), "it agrees"


def test_a_list_that_was_overtaken_takes_nothing_back() -> None:
    cache = new_cache()
    before = cache.moment()
    cache.put(DEPLOYMENT, body(9))
    cache.remove(DEPLOYMENT, body(9, uid="2"))
    assert not cache.retract(DEPLOYMENT, body(8), before=before)
    assert not cache.retract(DEPLOYMENT, body(8, uid="2"), before=before)
    assert version(cache) == 9


def test_only_what_is_read_later_is_kept() -> None:
    ours = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {}}
    theirs = {"manager": "kubectl", "operation": "Update", "fieldsV1": {}}
    app = body(1)
    app["metadata"]["managedFields"] = [theirs, ours]
    last = "kubectl.kubernetes.io/last-applied-configuration"
    app["metadata"]["annotations"] = {last: "{}", "mine": "yes"}
    cache = new_cache()
    cache.put(WEATHER_APP, app)
    kept = cache.get(WEATHER_APP, LONDON)
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
    cache = new_cache()
    assert node_address(cache.all(NODE)) is None
    cache.put(NODE, node("a", 1))
    assert node_address(cache.all(NODE)) is None
    cache.put(NODE, node("c", 2, InternalIP="10.0.0.3"))
    cache.put(NODE, node("b", 3, InternalIP="10.0.0.2", ExternalIP="203.0.113.2"))
    assert node_address(cache.all(NODE)) == "203.0.113.2"
    cache.put(NODE, node("b", 4, ready=False, InternalIP="10.0.0.2"))
    assert node_address(cache.all(NODE)) == "10.0.0.3"
    cache.put(NODE, node("c", 5, ready=False, InternalIP="10.0.0.3"))
    assert node_address(cache.all(NODE)) == "10.0.0.2"


def test_the_heartbeat_of_a_node_is_no_news() -> None:
    cache = new_cache()
    assert cache.put(NODE, node("a", 1, InternalIP="10.0.0.1"))
    assert not cache.put(NODE, node("a", 2, InternalIP="10.0.0.1"))
    assert cache.put(NODE, node("a", 3, InternalIP="10.0.0.9"))
