from weather_webapp.cache import LRUCache, TwoTierCache


def test_the_longest_unused_makes_room() -> None:
    cache = LRUCache[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert len(cache) == 2


def test_what_is_pinned_stays_even_if_all_is() -> None:
    pinned = {"a"}
    cache = LRUCache[str, int](2, pinned)
    for number, key in enumerate("abcd"):
        cache.put(key, number)
    assert cache.get("a") == 0
    pinned |= set("bcd")
    cache.put("e", 5)
    assert len(cache) <= 3


def test_what_is_of_no_worth_pushes_out_nothing_of_worth() -> None:
    cache = TwoTierCache[int, str](3)
    cache.put(0, "good", good=True)
    for key in range(1, 100):
        cache.put(key, "bad", good=False)
    assert cache.get(0) == "good"
    assert cache.get(99) == "bad"
    assert len(cache) == 4
    cache.put(0, "bad", good=False)
    cache.put(99, "good", good=True)
    assert (cache.get(0), cache.get(99), len(cache)) == ("bad", "good", 3)
