from weather_webapp.recent import Memory, Recent


def test_the_longest_unused_makes_room() -> None:
    recent = Recent[str, int](2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
    assert len(recent) == 2


def test_what_is_pinned_stays_even_if_all_is() -> None:
    pinned = {"a"}
    recent = Recent[str, int](2, pinned)
    for number, key in enumerate("abcd"):
        recent.put(key, number)
    assert recent.get("a") == 0
    pinned |= set("bcd")
    recent.put("e", 5)
    assert len(recent) <= 3


def test_what_is_of_no_worth_pushes_out_nothing_of_worth() -> None:
    memory = Memory[int, str](3)
    memory.put(0, "good", worthy=True)
    for key in range(1, 100):
        memory.put(key, "bad", worthy=False)
    assert memory.get(0) == "good"
    assert memory.get(99) == "bad"
    assert len(memory) == 4
    memory.put(0, "bad", worthy=False)
    memory.put(99, "good", worthy=True)
    assert (memory.get(0), memory.get(99), len(memory)) == ("bad", "good", 3)
