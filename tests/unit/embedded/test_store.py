"""Versions, history and indexes."""

from __future__ import annotations

from typing import Any

from rollouts.embedded.store import Name, Store


def _obj(name: str, uid: str, owners: tuple[str, ...] = (), **rest: Any) -> dict[str, Any]:
    references = [{"uid": owner} for owner in owners]
    meta = {"name": name, "uid": uid, **({"ownerReferences": references} if references else {})}
    return {"metadata": meta, **rest}


def _names(entries: Any) -> list[str]:
    return [key.name for key, _ in entries]


def test_entries_are_ordered_by_namespace_and_name_and_resume_behind_a_key() -> None:
    store = Store()
    held = store.collection("", "things")
    for key in (Name("b", "x"), Name("a", "z"), Name("a", "y"), Name("c", "w")):
        store.put(held, key, _obj(key.name, key.name))
    assert [tuple(key) for key, _ in held.entries()] == [("a", "y"), ("a", "z"), ("b", "x"), ("c", "w")]
    assert _names(held.entries(after=Name("a", "y"))) == ["z", "x", "w"]
    assert _names(held.entries("a", Name("a", "y"))) == ["z"]


def test_the_past_is_rebuilt_from_the_history() -> None:
    store = Store()
    held = store.collection("", "things")
    for name in ("a", "b"):
        store.put(held, Name("n", name), _obj(name, name, value=1))
    then = store.version
    store.put(held, Name("n", "a"), _obj("a", "a", value=2))
    store.remove(held, Name("n", "b"), _obj("b", "b"))
    store.put(held, Name("n", "c"), _obj("c", "c"))
    past = {key.name: entry.object.get("value") for key, entry in held.entries_at(then, "n")}
    assert past == {"a": 1, "b": 1}
    assert _names(held.entries()) == ["a", "c"]


def test_history_is_bounded_and_its_floor_rises() -> None:
    store = Store(history=3)
    held = store.collection("", "things")
    for count in range(5):
        store.put(held, Name("n", "a"), _obj("a", "a", value=count))
    assert len(held.since(0)) == 3
    assert held.floor == store.version - 3
    held.compact(store.version)
    assert held.since(0) == []
    assert held.floor == store.version


def test_dependents_follow_owner_references() -> None:
    store = Store()
    held = store.collection("", "things")
    store.put(held, Name("n", "owner"), _obj("owner", "o"))
    store.put(held, Name("n", "child"), _obj("child", "c", ("o", "p")))
    assert [place.key.name for place in store.dependents("o")] == ["child"]
    store.put(held, Name("n", "child"), _obj("child", "c", ("p",)))
    assert store.dependents("o") == []
    assert store.living("c") is not None
    store.remove(held, Name("n", "child"), _obj("child", "c", ("p",)))
    assert store.dependents("p") == []
    assert store.living("c") is None
