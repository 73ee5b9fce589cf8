"""The store of items against LangGraph's own stores, and what is more here."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import GetOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore
from values import nested

import asm_core as asm
from langgraph_checkpoint_asm import AsmStore, copy_items
from langgraph_checkpoint_asm.namespaces import key_name, labels_of, name_of

if TYPE_CHECKING:
    from pathlib import Path

    from langgraph.store.base import BaseStore

LIMIT = 60
LABELS = st.sampled_from(["a", "b", "b c", "é", "%", "#", "a" * 300, "*:/"])
PATHS = st.lists(LABELS, min_size=1, max_size=4).map(tuple)
KEYS = st.sampled_from(["k", "", "k.1", "\ud800", "x" * 700, "x" * 701])
VALUES = st.fixed_dictionaries({"n": st.integers(0, 3)}, optional={"tags": st.lists(st.sampled_from("xy"), max_size=2)})
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PATHS, KEYS, VALUES),
        st.tuples(st.just("delete"), PATHS, KEYS),
        st.tuples(st.just("get"), PATHS, KEYS),
        st.tuples(st.just("search"), PATHS | st.just(()), st.sampled_from([None, {"n": 1}, {"n": {"$gte": 2}}])),
        st.tuples(st.just("list"), PATHS | st.none(), PATHS | st.none(), st.sampled_from([None, 1, 2])),
    ),
    max_size=25,
)


@pytest.fixture
def store(backend: asm.Backend) -> AsmStore:
    return AsmStore(backend)


def answer(store: BaseStore, name: str, *arguments: Any) -> Any:
    """Call a store, and return what two stores must agree on: all but times, scores and the order of searches."""
    if name == "list":
        prefix, suffix, depth = arguments
        return store.list_namespaces(prefix=prefix, suffix=suffix, max_depth=depth)
    if name == "search":
        found = store.search(arguments[0], filter=arguments[1], limit=100)
        return sorted((item.namespace, item.key, repr(item.value)) for item in found)
    found = getattr(store, name)(*arguments)
    return found and (found.namespace, found.key, found.value)


def emptied(backend: asm.Backend) -> None:
    for name in backend.state_store.list_namespaces(limit=500).items:
        backend.state_store.delete_all(name)


@given(calls=CALLS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_answers_as_langgraphs_store_in_memory(backend: asm.Backend, calls: list[Any]) -> None:
    emptied(backend)
    ours, theirs = AsmStore(backend), InMemoryStore()
    for call in calls:
        assert answer(ours, *call) == answer(theirs, *call), call
        # LangGraph's own in memory, unlike those on databases, lists a namespace that is empty, or was only read.
        for namespace in [one for one, items in theirs._data.items() if not items]:
            del theirs._data[namespace]


def test_the_newest_item_is_found_first_and_pages_are_cut(store: AsmStore) -> None:
    for number in range(5):
        store.put(("a",), f"k{number}", {"n": number})
    store.put(("a",), "k1", {"n": 1})
    assert [item.key for item in store.search(("a",), limit=3)] == ["k1", "k4", "k3"]
    assert [item.key for item in store.search(("a",), limit=2, offset=3)] == ["k2", "k0"]


@pytest.mark.parametrize("value", [None, [], {}, "x", True])
def test_what_is_no_number_is_neither_less_nor_greater(store: AsmStore, value: Any) -> None:
    store.put(("a",), "k", {"n": value, "b": 1})
    operators = ("$lt", "$lte", "$gt", "$gte")
    found = [store.search(("a",), filter={"n": {name: 5}}) for name in operators]
    expected = [[value], [value], [], []] if value is True else [[]] * 4
    assert [[item.value["n"] for item in items] for items in found] == expected


def test_an_unknown_operator_is_refused(store: AsmStore) -> None:
    store.put(("a",), "k", {"n": 1})
    with pytest.raises(asm.ValidationError, match=r"no operator '\$in'"):
        store.search(("a",), filter={"n": {"$in": [1]}})


@pytest.mark.parametrize(
    "value", ["\ud800", float("inf"), 10**400, b"\0\xff", nested(1000), "a\0b", {"\ud800": 1}], ids=range(7)
)
def test_any_value_is_returned_as_it_came(store: AsmStore, value: Any) -> None:
    store.put(("a",), "k", {"value": value})
    found = store.get(("a",), "k")
    assert found is not None
    assert repr(found.value) == repr({"value": value}) if not isinstance(value, list) else found.value["value"]


def test_no_two_namespaces_or_keys_have_the_same_name() -> None:
    paths = [("a", "b"), ("a b",), ("a%2Eb",), ("a", "b", "%"), ("x" * 600,), ("x" * 601,), ("x" * 300, "x" * 300)]
    assert len({name_of(path) for path in paths}) == len(paths)
    keys = ["", "%", "#", "x" * 600, "x" * 601, "é", "\ud800"]
    assert len({key_name(key) for key in keys}) == len(keys)
    assert max(map(len, [*map(name_of, paths), *map(key_name, keys)])) <= 512
    assert [labels_of(name_of(path)) for path in paths[:4]] == paths[:4]


def test_a_batch_reads_first_and_stores_all_or_nothing(store: AsmStore) -> None:
    store.put(("a",), "k", {"n": 1})
    put = PutOp(("a",), "k", {"n": 2})
    assert [found and found.value for found in store.batch([put, GetOp(("a",), "k")])] == [None, {"n": 1}]
    with pytest.raises(asm.ValidationError):
        store.batch([PutOp(("a",), "k", {"n": 3}), PutOp(("a",), "l", {"n": object()})])
    assert [item.value for item in store.search(("a",))] == [{"n": 2}]


def test_an_item_expires_after_its_time_and_a_read_refreshes_it(store: AsmStore, backend: asm.Backend) -> None:
    store.put(("a",), "k", {"n": 1}, ttl=10)
    [record] = backend.state_store.list(name_of(("a",))).items
    assert record.expires_at is not None
    assert timedelta(minutes=9) < record.expires_at - datetime.now(UTC) <= timedelta(minutes=10)
    before = store.get(("a",), "k", refresh_ttl=False)
    [same] = backend.state_store.list(name_of(("a",))).items
    after = store.get(("a",), "k")
    [refreshed] = backend.state_store.list(name_of(("a",))).items
    assert same.expires_at == record.expires_at < refreshed.expires_at  # type: ignore[operator]
    assert before == after
    store.put(("a",), "gone", {"n": 1}, ttl=0)
    assert store.get(("a",), "gone") is None
    assert [item.key for item in store.search(("a",))] == ["k"]


def test_the_default_time_is_that_of_the_configuration(backend: asm.Backend) -> None:
    AsmStore(backend, ttl={"default_ttl": 0}).put(("a",), "k", {"n": 1})
    assert AsmStore(backend).get(("a",), "k") is None
    with pytest.raises(asm.ValidationError, match="sweep_interval_minutes"):
        AsmStore(backend, ttl={"sweep_interval_minutes": 5})


def test_asynchronous_calls_do_the_same(backend: asm.Backend) -> None:
    async def main() -> None:
        async with asm.aio.wrap(backend) as awaited:
            store = AsmStore(awaited)
            await asyncio.gather(*(store.aput(("a", str(number)), "k", {"n": number}) for number in range(20)))
            assert len(await store.asearch(("a",), limit=50)) == 20
            assert len(await store.alist_namespaces(prefix=("a",))) == 20
            await store.adelete(("a", "3"), "k")
            assert await store.aget(("a", "3"), "k") is None

    asyncio.run(main())


def test_concurrent_batches_leave_one_of_them_whole(store: AsmStore) -> None:
    def put(number: int) -> None:
        keys = ["x", "y", "z"] if number % 2 else ["z", "y", "x"]
        store.batch([PutOp(("a",), key, {"n": number}) for key in keys])

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    found = store.batch([SearchOp(("a",))])[0]
    assert len({item.value["n"] for item in found}) == 1  # type: ignore[union-attr]


def test_a_graph_remembers_across_threads(store: AsmStore) -> None:
    def remember(_: MessagesState, *, store: BaseStore) -> dict[str, Any]:
        known = store.get(("users", "ann"), "seen")
        count = (known.value["count"] if known else 0) + 1
        store.put(("users", "ann"), "seen", {"count": count})
        return {"messages": [("ai", f"visit {count}")]}

    builder = StateGraph(MessagesState)
    builder.add_node("remember", remember)
    builder.add_edge(START, "remember")
    graph = builder.compile(store=store)
    said = [graph.invoke({"messages": [("user", "hello")]})["messages"][-1].text for _ in range(2)]
    assert said == ["visit 1", "visit 2"]


def test_items_of_langgraphs_store_are_copied(store: AsmStore, tmp_path: Path) -> None:
    with SqliteStore.from_conn_string(str(tmp_path / "old.db")) as theirs:
        theirs.setup()
        for number in range(230):
            theirs.put(("a", "b") if number % 2 else ("a",), f"k{number}", {"n": number})
        assert [copy_items(theirs, store) for _ in range(2)] == [230, 230]
    assert {item.value["n"] for item in store.search(("a",), limit=500)} == set(range(230))
    assert store.list_namespaces() == [("a",), ("a", "b")]
