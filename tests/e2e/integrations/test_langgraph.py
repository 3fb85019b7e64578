"""The same cases on LangGraph's own store and on the service give the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypedDict

import pytest

from memsvc_client import InvalidRequest, MemoryClient
from tests.fixtures.service import Service

pytest.importorskip("langgraph.store.base", reason="the extra `langgraph` is not installed")

from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from memsvc_client.integrations.langgraph import MemsvcStore

Case = Callable[[BaseStore], Any]


class State(TypedDict, total=False):
    user: str
    said: str
    known: str


ADA = ("users", "ada")
CASES: dict[str, Case] = {}


def case(told: Case) -> Case:
    CASES[told.__name__] = told
    return told


def seen(item: Item | None) -> Any:
    return None if item is None else (item.namespace, item.key, item.value)


def found(store: BaseStore, *prefix: str, **asked: Any) -> list[Any]:
    return sorted(map(seen, store.search(prefix, **asked)), key=repr)


VALUES: dict[str, dict[str, Any]] = {
    "tea": {"text": "Ada drinks green tea", "rating": 5, "hot": True, "place": {"city": "Oslo", "zip": "0150"}},
    "coffee": {"text": "Ada avoids coffee", "rating": 1, "hot": True, "tags": ["a", "b"], "none": None},
    "water": {"text": "Ada likes still water", "rating": 2.5, "hot": False, "place": {"city": "Rome"}},
    "a.b/c d%*é": {"file.name": "notes", "back\\slash": "x", "$": "odd", "": "empty", "rating": "3"},
    "empty": {},
    "blank": {"text": "", "list": [], "object": {}},
    "deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": [1, [2, {"h": None}]]}}}}}}, "plain": "yes"},
    "many": {f"key {n}": n for n in range(300)},
    "long key " * 20: {"k" * 300: "v"},
}


def filled(store: BaseStore) -> None:
    store.batch([PutOp(ADA, key, value) for key, value in VALUES.items()])


@case
def what_is_put_comes_back(store: BaseStore) -> Any:
    filled(store)
    return [seen(store.get(ADA, key)) for key in VALUES]


@case
def what_is_not_there(store: BaseStore) -> Any:
    store.put(ADA, "tea", {"text": "x"})
    store.delete(ADA, "coffee")
    return store.get(ADA, "coffee"), store.get(("nobody",), "tea"), store.search(("nobody",)), store.search(("user",))


@case
def a_second_put_replaces_everything(store: BaseStore) -> Any:
    store.put(ADA, "tea", {"text": "green", "rating": 5})
    store.put(ADA, "tea", {"kind": "black"})
    return seen(store.get(ADA, "tea")), found(store, *ADA)


@case
def deleted_and_put_again(store: BaseStore) -> Any:
    store.put(ADA, "tea", {"text": "green", "rating": 5})
    store.delete(ADA, "tea")
    gone = store.get(ADA, "tea"), store.search(ADA), store.search(ADA, query="tea")
    store.put(ADA, "tea", {"text": "black"})
    return gone, seen(store.get(ADA, "tea")), found(store, *ADA, query="tea")


@case
def namespaces_stay_apart(store: BaseStore) -> Any:
    for n, labels in enumerate(
        [("a",), ("a", "b"), ("ab",), ("a", "b", "c"), ("a/b",), ("a b", "*"), ("é", "%2F", "%")]
    ):
        store.put(labels, "same", {"n": n})
    everywhere = [("a",), ("a", "b"), ("ab",), ("a/b",), ("a b",), ("é", "%2F"), ("é", "/"), ()]
    return [found(store, *prefix) for prefix in everywhere], store.list_namespaces()


FILTERS: list[dict[str, Any]] = [
    {},
    {"rating": 5},
    {"rating": {"$eq": 5}},
    {"rating": {"$ne": 5}},
    {"hot": True},
    {"hot": {"$ne": True}},
    {"none": None},
    {"none": {"$ne": None}},
    {"text": "Ada avoids coffee", "hot": True},
    {"text": "nothing of the kind"},
    {"place": {"city": "Oslo"}},
    {"place": {"city": "Oslo", "zip": "0150"}},
    {"place": {"city": {"$ne": "Oslo"}}},
    {"place": {}},
    {"tags": ["a", "b"]},
    {"tags": ["a"]},
    {"tags": {"$eq": ["a", "b"]}},
    {"list": []},
    {"file.name": "notes"},
    {"back\\slash": "x"},
    {"plain": "yes"},
    {"key 7": 7},
]
ORDERED: list[dict[str, Any]] = [
    {"rating": {"$gt": 1}},
    {"rating": {"$gte": 1, "$lt": 5}},
    {"rating": {"$lte": 2.5}, "hot": False},
    {"rating": {"$gt": 100}},
]


@case
def filters(store: BaseStore) -> Any:
    filled(store)
    return [found(store, *ADA, filter=wanted) for wanted in FILTERS]


@case
def filters_by_order(store: BaseStore) -> Any:
    for key in ("tea", "coffee", "water"):
        store.put(ADA, key, VALUES[key])
    return [found(store, *ADA, filter=wanted) for wanted in ORDERED]


@case
def filters_beside_a_question(store: BaseStore) -> Any:
    filled(store)
    return [found(store, *ADA, query="what does Ada drink", filter=wanted) for wanted in FILTERS[:4] + FILTERS[10:13]]


@case
def pages(store: BaseStore) -> Any:
    for n in range(25):
        store.put(("pages", str(n % 2)), f"k{n}", {"n": n})
    walked = [[seen(i) for i in store.search(("pages",), limit=7, offset=at)] for at in range(0, 35, 7)]
    return [len(page) for page in walked], sorted(one for page in walked for one in page), len(store.search(("pages",)))


@case
def a_question_finds_all_that_was_asked_for(store: BaseStore) -> Any:
    filled(store)
    store.put(ADA, "hidden", {"text": "Ada drinks green tea"}, index=False)
    best = store.search(ADA, query="Ada drinks green tea", limit=1)
    all_of_them = store.search(ADA, query="Ada drinks green tea", limit=50)
    return [seen(i) for i in best], sorted(map(seen, all_of_them), key=repr), seen(store.get(ADA, "hidden"))


@case
def lists_of_namespaces(store: BaseStore) -> Any:
    for labels in [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c"), ("z", "b", "c"), ("a",)]:
        store.put(labels, "k", {})
    return [
        store.list_namespaces(**asked)
        for asked in (
            {},
            {"prefix": ("a",)},
            {"prefix": ("a", "*", "c")},
            {"suffix": ("c",)},
            {"suffix": ("b", "*")},
            {"prefix": ("a",), "suffix": ("c",)},
            {"max_depth": 1},
            {"max_depth": 2, "prefix": ("a",)},
            {"limit": 2},
            {"limit": 2, "offset": 1},
            {"prefix": ("a", "b", "c", "d")},
            {"suffix": ("a", "b", "c", "d")},
        )
    ]


@case
def a_batch_reads_before_it_writes(store: BaseStore) -> Any:
    store.put(ADA, "tea", {"n": 1})
    answers = store.batch(
        [
            GetOp(ADA, "tea"),
            PutOp(ADA, "tea", {"n": 2}),
            SearchOp(ADA, {"n": 1}),
            PutOp(ADA, "coffee", {"n": 1}),
            PutOp(ADA, "coffee", None),
            PutOp(ADA, "water", {"n": 3}),
            GetOp(ADA, "water"),
            GetOp(("nobody",), "tea"),
            ListNamespacesOp((MatchCondition("prefix", ("users",)),)),
            PutOp(("users", "ben"), "tea", {"n": 4}),
            PutOp(ADA, "water", {"n": 5}),
        ]
    )
    told = [list(map(seen, a)) if isinstance(a, list) and a and isinstance(a[0], Item) else a for a in answers[1:]]
    return seen(answers[0]), told, found(store, "users")


@pytest.fixture
def store(client: MemoryClient) -> MemsvcStore:
    return MemsvcStore(client)


def embed(texts: list[str]) -> list[list[float]]:
    return [[float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


def reference() -> InMemoryStore:
    return InMemoryStore(index={"dims": 26, "embed": embed, "fields": ["text"]})


@pytest.mark.parametrize("name", CASES)
def test_it_is_as_in_langgraphs_own_store(store: MemsvcStore, name: str) -> None:
    assert CASES[name](store) == CASES[name](reference())


def test_no_name_of_a_namespace_is_taken_for_another(store: MemsvcStore) -> None:
    odd = ["a", "A", "a b", "a%20b", "a/b", "a%2Fb", "*", "%2A", "é", "e\u0301", "\n", "日本"]
    store.batch([PutOp((label, "x"), "k", {"label": label}) for label in odd])
    assert [item.value["label"] for label in odd if (item := store.get((label, "x"), "k"))] == odd
    assert sorted(labels[0] for labels in store.list_namespaces()) == sorted(odd)
    for label in odd:
        assert [item.value for item in store.search((label,))] == [{"label": label}]


def test_langgraphs_own_rules_for_namespaces_hold(store: MemsvcStore) -> None:
    for labels in [(), ("langgraph", "x"), ("a.b",), ("",)]:
        with pytest.raises(InvalidNamespaceError):
            store.put(labels, "k", {})


def test_what_the_service_cannot_keep_is_refused(store: MemsvcStore) -> None:
    with pytest.raises(InvalidRequest):
        store.put(ADA, "k", {"text": "x" * 20_000})
    with pytest.raises(InvalidRequest):
        store.put(("deep",) * 16, "k", {})  # 16 labels and the root are one too many
    with pytest.raises(ValueError, match=r"\$regex"):
        store.search(ADA, filter={"text": {"$regex": "."}})
    assert store.search(ADA) == []


def test_a_question_reaches_more_namespaces_than_one_recall(store: MemsvcStore) -> None:
    store.batch([PutOp(("many", str(n)), "k", {"text": f"cup {n} of tea"}) for n in range(34)])
    found = store.search(("many",), query="cup 33 of tea", limit=40)
    assert len(found) == 34
    assert all(item.score is not None for item in found)
    assert [item.score for item in found] == sorted((item.score or 0.0 for item in found), reverse=True)
    assert len(store.search(("many",), query=" ", limit=40)) == 34  # no question


def test_other_memories_are_no_items(store: MemsvcStore, client: MemoryClient) -> None:
    client.remember("Ada drinks tea", namespace="langgraph/users/ada", external_id="tea")
    assert store.get(ADA, "tea") is None
    assert store.search(ADA, query="tea") == []
    client.remember("Ada drinks tea", namespace="langgraph", external_id="tea")
    assert store.list_namespaces() == [ADA]


def test_a_time_to_live_ends_and_reading_prolongs_it(
    client: MemoryClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemsvcStore(client, ttl={"default_ttl": 60, "refresh_on_read": False})
    store.put(ADA, "default", {"n": 1})
    store.put(ADA, "short", {"n": 2}, ttl=0.5)
    store.put(ADA, "for good", {"n": 3}, ttl=None)
    until = {m.external_id: m.expires_at for m in client.list(namespace="langgraph/users/ada")}
    assert until["for good"] is None
    assert until["short"] < until["default"]

    monkeypatch.setattr(service.clock, "offset", service.clock.offset)
    service.clock.move(seconds=31)
    assert store.get(ADA, "short") is None
    assert {item.key for item in store.search(ADA)} == {"default", "for good"}

    def prolonged() -> bool:
        return next(m for m in client.list(namespace="langgraph/users/ada") if m.external_id == "default").version > 1

    monkeypatch.setattr("memsvc_client.integrations.langgraph.store._now", service.clock.now)
    store.get(ADA, "default", refresh_ttl=True)
    assert not prolonged()  # it has nearly all of its time
    service.clock.move(minutes=30)
    store.get(ADA, "default")
    assert not prolonged()
    store.search(ADA, refresh_ttl=True)
    assert prolonged()
    service.clock.move(minutes=45)
    assert store.get(ADA, "default") is not None
    store.put(ADA, "default", {"n": 4}, ttl=None)
    service.clock.move(minutes=90)
    assert store.get(ADA, "default") is not None


def test_an_item_past_its_time_can_be_put_again(
    store: MemsvcStore, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.clock, "offset", service.clock.offset)
    for ttl in (1.0, 1.0, None):
        store.put(ADA, "tea", {"text": "green"}, ttl=ttl)
        assert seen(store.get(ADA, "tea", refresh_ttl=False)) == (ADA, "tea", {"text": "green"})
        service.clock.move(seconds=61)
        assert (store.get(ADA, "tea", refresh_ttl=False) is None) == (ttl is not None)


def test_deleting_hides_or_erases(client: MemoryClient) -> None:
    for on_delete, left in (("forget", 1), ("erase", 0)):
        store = MemsvcStore(client, root=on_delete, on_delete=on_delete)
        store.put(ADA, "tea", {"text": "green"})
        store.delete(ADA, "tea")
        assert store.get(ADA, "tea") is None
        hidden = client.list(namespace=f"{on_delete}/users/ada", filter={"state": {"exists": True}})
        assert len(list(hidden)) == left


def test_beside_an_event_loop(store: MemsvcStore) -> None:
    async def run() -> Any:
        await asyncio.gather(*(store.aput(ADA, f"k{n}", {"n": n}) for n in range(8)))
        await store.adelete(ADA, "k0")
        return await asyncio.gather(store.aget(ADA, "k0"), store.asearch(ADA, limit=20), store.alist_namespaces())

    gone, items, namespaces = asyncio.run(run())
    assert gone is None
    assert {item.key for item in items} == {f"k{n}" for n in range(1, 8)}
    assert namespaces == [ADA]


def test_a_graph_remembers_over_threads(store: MemsvcStore) -> None:
    graph_module = pytest.importorskip("langgraph.graph", reason="the extra `langgraph` is not installed")

    def note(state: dict[str, str], *, store: BaseStore) -> dict[str, str]:
        known = store.search(("users", state["user"]), query=state["said"], limit=1)
        store.put(("users", state["user"]), state["said"], {"text": state["said"]})
        return {"known": known[0].value["text"] if known else ""}

    note.__annotations__ = {"state": State, "store": BaseStore, "return": dict}
    builder = graph_module.StateGraph(State)
    builder.add_node("note", note)
    builder.add_edge(graph_module.START, "note")
    graph = builder.compile(store=store)

    graph.invoke({"user": "ada", "said": "I drink green tea"})
    assert graph.invoke({"user": "ada", "said": "green tea please"})["known"] == "I drink green tea"
    assert graph.invoke({"user": "ben", "said": "green tea please"})["known"] == ""
