from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import fields, replace
from threading import Thread

import numpy as np
import pytest

from gpu.bank.bank import Bank
from gpu.bank.batches import take
from gpu.bank.coding import coded
from gpu.bank.corpus import Corpus
from gpu.bank.errors import DimensionError, SnapshotClosedError
from gpu.bank.filters import ScanFilter
from gpu.bank.fingerprints import fingerprints
from gpu.bank.joint import joint_view
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PageList, PagePool
from gpu.bank.records import NEVER_US, RecordBatch, Relation
from gpu.bank.view import BankView
from gpu.warm_up import warm_up
from tests.fixtures.bank_records import random_batch, with_links

EVERYTHING = ScanFilter(states=frozenset())


def batch_of(numbers: list[int], *, version: int = 1, at_us: int = 10, end_us: int = NEVER_US) -> RecordBatch:
    n = len(numbers)
    return random_batch(
        np.random.default_rng(sum(numbers) + version), numbers, versions=[version] * n, recorded_from=[at_us] * n,
        recorded_to=[end_us] * n,
    )  # fmt: skip


@pytest.fixture
def namespace() -> NamespaceBank:
    return Bank().open("ns", 8)


def held(namespace: NamespaceBank) -> list[tuple[bytes, int, int]]:
    return sorted((f.memory_id, f.version, f.recorded_to_us) for f in namespace.fingerprints())


def buffers(bank: Bank) -> Iterator[bytes]:
    """All bytes that a bank has allocated for rows and tables."""
    yield from (buffer.tobytes() for buffer in bank._pool.free_buffers())
    for namespace in map(bank.namespace, bank.keys()):
        for segment in (namespace._current, namespace._history, *namespace._retired):
            yield from (page.buffer.tobytes() for pages in segment.lists for page in pages.table.pages)
        yield from (array.tobytes() for array in namespace._counts.arrays())


def test_a_newer_version_closes_the_older(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1, 2], version=1, at_us=10))
    namespace.put(batch_of([1], version=2, at_us=20))
    one, two = (bytes(row) for row in batch_of([1, 2]).memory_ids)
    assert held(namespace) == sorted([(one, 1, 20), (one, 2, NEVER_US), (two, 1, NEVER_US)])
    assert len(namespace) == 2


@pytest.mark.parametrize("as_of_us", [9, 10, 19, 20, 21])
def test_as_of_sees_one_version_of_a_memory(namespace: NamespaceBank, as_of_us: int) -> None:
    namespace.put(batch_of([1], version=1, at_us=10))
    namespace.put(batch_of([1], version=2, at_us=20))
    with namespace.view(replace(EVERYTHING, as_of_us=as_of_us)) as view:
        slots = np.flatnonzero(view.mask())
        assert [view.version(slot) for slot in slots] == ([] if as_of_us < 10 else [1] if as_of_us < 20 else [2])
        assert view.n_slots == 3  # the replaced row, the current one, the closed one


def test_the_same_version_again_takes_the_place_of_the_old_row(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1], version=1))
    changed = replace(batch_of([1], version=1), states=np.array([3], np.uint8))
    namespace.put(changed)
    namespace.put(changed)
    assert [(f.version, f.state) for f in namespace.fingerprints()] == [(1, 3)]
    with namespace.view(EVERYTHING) as view:
        assert view.eligible == 1
        assert view.n_documents == 1


def test_a_stale_version_is_ignored(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1], version=2))
    before = held(namespace)
    namespace.put(batch_of([1, 1], version=1))
    assert held(namespace) == before


def test_a_closed_version_is_kept_once_and_ends_the_current_one(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1], version=1))
    for _ in range(2):
        namespace.put(batch_of([1], version=1, end_us=30))
    assert [end for _, _, end in held(namespace)] == [30]
    assert len(namespace) == 0
    with namespace.view(EVERYTHING) as view:
        assert (view.eligible, view.n_documents, view.mean_length) == (0, 0, 0.0)


def test_an_older_closed_version_leaves_the_current_one(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1], version=3, at_us=30))
    namespace.put(batch_of([1], version=2, at_us=20, end_us=30))
    assert [(version, end) for _, version, end in held(namespace)] == [(2, 30), (3, NEVER_US)]


def test_fingerprints_cover_everything_that_a_row_holds(namespace: NamespaceBank) -> None:
    batch = coded(batch_of(list(range(100))), np.arange(100, dtype=np.uint8) % 3)
    namespace.put(batch)
    assert set(namespace.fingerprints()) == set(fingerprints(batch))
    before = {f.memory_id: f for f in fingerprints(batch)}
    for column in fields(RecordBatch):
        values = getattr(batch, column.name).copy()
        if column.name.endswith("_offsets"):
            row = int(np.flatnonzero(np.diff(values) > 0)[0])
            values[row + 1] -= 1  # its last element passes to the next memory
        else:
            flat = values.view(np.uint8).reshape(-1)
            flat[0] ^= 1
        after = {f.memory_id: f for f in fingerprints(replace(batch, **{column.name: values}))}
        different = [key for key in after if after[key] != before.get(key)]
        assert bool(different) == (column.name not in ("stabilities", "last_recalled_us")), column.name


@pytest.mark.parametrize("compacted", [True, False])
def test_erase_leaves_no_byte(compacted: bool) -> None:
    bank = Bank()
    namespace = bank.open("ns", 8)
    others = list(range(2, 40))
    namespace.put(batch_of(others))
    secrets = [replace(batch_of([1], version=v, at_us=v), lengths=np.full(1, 7, np.uint32)) for v in (1, 2, 3)]
    marks: list[bytes] = [bytes(secrets[0].memory_ids[0])]
    for number, secret in enumerate(secrets):
        vector = np.linspace(0.1, 0.2, 8).astype(np.float16) * np.float16(number + 1)
        terms = np.array([0xDEAD0000 + number, 0xBEEF0000], np.uint32)
        pairs, entities = np.array([0xABCDEF0123450000 + number], np.uint64), np.array([0xFEDCBA9876540000 + number])
        spans, places = np.array([[7_000_000 + number, 8_000_000 + number]]), np.array([0xFACE0000 + number], np.uint64)
        text, codes = f"the secret number {number}".encode(), np.array([[0xC0 + number, 0xDE]], np.uint8)
        one, two = np.array([0, 1]), np.array([0, 2])
        namespace.put(
            replace(
                secret, vectors=vector[None], view_offsets=one, term_ids=terms, term_freqs=np.ones(2, np.uint16),
                term_offsets=two, pairs=pairs, pair_offsets=one, entity_ids=entities.astype(np.uint64),
                entity_offsets=one, spans=spans, span_offsets=one, place_ids=places, place_offsets=one,
                link_targets=np.full((1, 16), 0xA1 + number, np.uint8), link_relations=np.ones(1, np.uint8),
                link_offsets=one, texts=np.frombuffer(text, np.uint8), text_offsets=np.array([0, len(text)]),
                tokens=codes, token_offsets=one, sequences=np.array([0x5E9E5E9E00000000 + number], np.uint64),
                speakers=np.array([0x50B350B300000000 + number], np.uint64),
            )
        )  # fmt: skip
        marks += [spans.tobytes(), places.tobytes(), text, bytes([0xA1 + number]) * 16]
        marks += [(of + number).to_bytes(8, "little") for of in (0x5E9E5E9E00000000, 0x50B350B300000000)]
        marks += [vector.tobytes(), terms[:1].tobytes(), terms[1:].tobytes(), pairs.tobytes(), entities.tobytes()]
    # The same version twice: the row that was replaced in place holds bytes too.
    namespace.put(replace(secrets[2], term_ids=np.array([0xBEEF0000], np.uint32), term_freqs=np.ones(1, np.uint16),
                          term_offsets=np.array([0, 1])))  # fmt: skip
    # Somebody else points to it.
    namespace.put(with_links(batch_of([500]), [[(Relation.FOLLOWS, marks[0]), (Relation.SAME_AS, b"o" * 16)]]))
    everything = b"".join(buffers(bank))
    assert all(mark in everything for mark in marks)
    assert everything.count(marks[0]) > 4
    with namespace.view(EVERYTHING) as pinned:
        namespace.put(batch_of(list(range(100, 200))))
        if compacted:
            namespace.compact()
        assert pinned.eligible == 40
        namespace.erase(secrets[0].memory_ids)
        everything = b"".join(buffers(bank))
        assert [mark for mark in marks if mark in everything] == []
        scores = np.zeros(pinned.n_slots, np.float32)
        assert bytes(secrets[0].memory_ids[0]) not in {
            bytes(row) for row in pinned.memory_id(pinned.top(scores, 99)[0])
        }
    assert len(held(namespace)) == len(others) + 101
    with namespace.view(EVERYTHING) as view:
        links, _ = view.ranges("links", view.slots_of(batch_of([500]).memory_ids))
        assert [bytes(target) for target in links["targets"]] == [b"o" * 16]
    assert not namespace._retired


def test_an_erased_view_is_nobodys_view(namespace: NamespaceBank) -> None:
    """Its zeroed vector must not count as a view of the first memory, whose own score may be negative."""
    batch = batch_of([0, 1])
    vectors = np.zeros((2, batch.vectors.shape[1]), np.float16)
    vectors[:, 0] = 1
    one_view_each = np.arange(3, dtype=np.int64)
    namespace.put(replace(batch, states=np.zeros(2, np.uint8), vectors=vectors, view_offsets=one_view_each,
                          expires_us=np.full(2, NEVER_US)))  # fmt: skip
    namespace.erase(batch.memory_ids[1:])
    against = np.zeros(vectors.shape[1], np.float32)
    against[0] = -1
    with namespace.view(ScanFilter()) as view:
        assert view.dense(against)[0] == -1


def test_erase_corrects_the_document_frequencies(namespace: NamespaceBank) -> None:
    batch = batch_of(list(range(30)))
    namespace.put(batch)
    namespace.erase(batch.memory_ids[:10])
    namespace.erase(batch.memory_ids[:10])
    rest = take(batch, np.arange(10, 30))
    terms = np.unique(batch.term_ids)
    with namespace.view(EVERYTHING) as view:
        expected = [int((rest.term_ids == term).sum()) for term in terms]
        assert view.document_frequency(terms).tolist() == expected
        assert view.n_documents == 20
        assert view.mean_length == pytest.approx(float(rest.lengths.mean()))


def test_erase_takes_rows_out_that_made_room_for_others(namespace: NamespaceBank) -> None:
    """A closed version that was put anew has a row in no table any more; looking for it there would never end."""
    namespace.put(batch_of(list(range(2, 40))))
    before = held(namespace)
    namespace.put(batch_of([1], version=1, at_us=10))
    namespace.put(batch_of([1], version=2, at_us=20))
    namespace.put(batch_of([1], version=1, at_us=10, end_us=20), anew=True)
    erasing = Thread(target=namespace.erase, args=(batch_of([1]).memory_ids,), daemon=True)
    erasing.start()
    erasing.join(30)
    assert not erasing.is_alive()
    assert held(namespace) == before


def test_erase_of_nobody_changes_nothing(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1]))
    before = held(namespace)
    namespace.erase(np.empty((0, 16), np.uint8))
    namespace.erase(batch_of([5]).memory_ids)
    assert held(namespace) == before


def test_compaction_comes_by_itself_and_gives_pages_back(namespace: NamespaceBank) -> None:
    numbers = list(range(200))
    for version in range(1, 20):
        namespace.put(batch_of(numbers, version=1, at_us=version))
    assert namespace._current.attributes.length <= 200 / 0.75 + 200
    fresh = Bank().open("ns", 8)
    fresh.put(batch_of(numbers, version=1, at_us=19))
    assert held(namespace) == held(fresh)
    assert namespace.memory_bytes() <= 1.5 * fresh.memory_bytes()


def test_slots_keep_their_order_through_compaction(namespace: NamespaceBank) -> None:
    for number in (5, 3, 9, 1):
        namespace.put(batch_of([number]))
    namespace.erase(batch_of([3]).memory_ids)
    namespace.compact()
    with namespace.view(EVERYTHING) as view:
        slots, _ = view.top(np.zeros(view.n_slots, np.float32), 10)
        assert [bytes(row) for row in view.memory_id(slots)] == [bytes(batch_of([n]).memory_ids[0]) for n in (5, 9, 1)]


def test_a_view_does_not_see_later_writes(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1, 2, 3]))
    with namespace.view(EVERYTHING) as view:
        namespace.put(batch_of([4]))
        namespace.put(batch_of([2], version=2))
        namespace.compact()
        slots = np.flatnonzero(view.mask())
        assert view.column("versions", slots).tolist() == [1, 1, 1]
        assert view.n_documents == 3
    assert not namespace._retired


def test_a_view_is_of_no_use_after_its_block(namespace: NamespaceBank) -> None:
    namespace.put(batch_of([1]))
    with namespace.view(EVERYTHING) as view:
        pass
    with pytest.raises(SnapshotClosedError):
        view.dense(np.zeros(8, np.float32))
    with pytest.raises(SnapshotClosedError):
        view.memory_id(np.zeros(1, np.int64))


def test_columns_of_slots_in_any_order(namespace: NamespaceBank) -> None:
    batch = batch_of(list(range(50)))
    namespace.put(batch)
    with namespace.view(EVERYTHING) as view:
        slots = np.array([30, 2, 2, 49, 0])
        assert (view.memory_id(slots) == batch.memory_ids[slots]).all()
        assert view.column("importances", slots).tolist() == batch.importances[slots].tolist()
        assert view.memory_id(np.empty(0, np.int64)).shape == (0, 16)
        for bad in (-1, 50):
            with pytest.raises(IndexError):
                view.column("versions", np.array([bad]))


def test_an_empty_namespace_answers(namespace: NamespaceBank) -> None:
    with namespace.view(ScanFilter(as_of_us=5)) as view:
        assert (view.n_slots, view.eligible, view.n_documents) == (0, 0, 0)
        assert view.dense(np.zeros(8, np.float32)).shape == (0,)
        assert view.bm25(np.ones(1, np.uint32), np.ones(1, np.float32), 1.5, 0.75).shape == (0,)
        assert view.top(np.empty(0, np.float32), 5)[0].shape == (0,)
        assert view.moments(np.empty(0, np.float32)) == (0.0, 0.0)


def test_input_that_cannot_be_written_to_is_taken(namespace: NamespaceBank) -> None:
    batch = batch_of([1, 2])
    for name in ("memory_ids", "versions", "term_ids", "vectors"):
        getattr(batch, name).flags.writeable = False
    namespace.put(batch)
    assert len(namespace) == 2


def test_a_write_that_fails_half_way_leaves_no_trace(namespace: NamespaceBank, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace.put(batch_of([1, 2]))
    before = held(namespace)

    def fail(self: PageList, count: int) -> Iterator[None]:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(type(namespace._current.attributes), "extend", fail)
        with pytest.raises(MemoryError):
            namespace.put(batch_of([3, 4, 5]))
    assert held(namespace) == before
    namespace.put(batch_of([6]))
    assert len(held(namespace)) == 3


@pytest.mark.parametrize(
    "column",
    [
        "memory_ids",
        "states",
        "term_ids",
        "pair_offsets",
        "view_offsets",
        "sequences",
        "spans",
        "texts",
        "link_relations",
    ],
)
def test_columns_that_do_not_fit_together_are_refused(namespace: NamespaceBank, column: str) -> None:
    batch = batch_of([1, 2, 3, 4])
    broken = replace(batch, **{column: getattr(batch, column)[:-1]})
    with pytest.raises(ValueError, match="must"):
        namespace.put(broken)


def test_another_dimension_is_refused() -> None:
    bank = Bank()
    namespace = bank.open("ns", 16)
    with pytest.raises(DimensionError):
        namespace.put(batch_of([1]))
    with pytest.raises(DimensionError):
        bank.open("ns", 8)
    with pytest.raises(ValueError, match="dim"):
        bank.open("other", 0)


def test_a_dropped_namespace_is_zero_even_for_its_readers() -> None:
    bank = Bank()
    namespace = bank.open("ns", 8)
    batch = batch_of(list(range(100)))
    namespace.put(batch)
    with namespace.view(EVERYTHING) as view:
        pages = [page.buffer for pages in namespace._current.lists for page in pages.table.pages]
        bank.drop("ns")
        assert not any(buffer[64:].any() for buffer in pages)
        assert view.eligible == 0
    assert not any(buffer.any() for buffer in pages)
    with pytest.raises(KeyError):
        bank.namespace("ns")
    bank.drop("ns")
    assert bank.keys() == []
    assert bank.open("ns", 4).dim == 4


def test_a_thousand_tiny_namespaces_cost_what_they_hold() -> None:
    bank = Bank()
    for key in range(20):
        namespace = bank.open(key, 384)
        for part in range(4):
            numbers = list(range(25 * part, 25 * part + 25))
            namespace.put(random_batch(np.random.default_rng(key), numbers, dim=384, max_views=1))
    allocated = sum(bank.namespace(key).memory_bytes() for key in range(20))
    assert allocated <= 1.5 * sum(bank.namespace(key).held_bytes() for key in range(20))
    assert bank.memory_bytes() >= allocated


def test_where_memories_are_comes_from_the_index_and_is_what_a_look_at_all_rows_says(
    namespace: NamespaceBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace.put(batch_of(list(range(90))))
    looked: list[int] = []
    through = BankView._searched

    def counted(self: BankView, memory_ids: np.ndarray) -> np.ndarray:
        looked.append(len(memory_ids))
        return through(self, memory_ids)

    monkeypatch.setattr(BankView, "_searched", counted)
    known, unknown = batch_of([5, 0, 89, 5]).memory_ids, batch_of([200]).memory_ids
    with namespace.view(EVERYTHING) as view:

        def check(ids: np.ndarray, looks: list[int]) -> None:
            looked.clear()
            slots = view.slots_of(ids)
            assert looked == looks
            np.testing.assert_array_equal(slots, through(view, ids))

        check(known, [])
        check(known[:0], [])
        check(np.concatenate([known, unknown]), [1])
        namespace.put(batch_of([0, 200], version=2))  # the view keeps the row that it had, and does not see the new one
        check(np.concatenate([known, unknown]), [2])
        namespace.erase(known[:1])
        check(known, [3])
        namespace.compact()
        check(known, [4])
    with namespace.view(EVERYTHING) as view:
        check(np.concatenate([known[1:3], unknown]), [])
        namespace.clear()
        check(known, [4])
        assert view.slots_of(known).tolist() == [-1] * 4
    with namespace.view(replace(EVERYTHING, as_of_us=15)) as view:
        check(known, [4])


def test_warm_up_runs_every_kernel() -> None:
    warm_up.__wrapped__()  # though another test may have warmed this process up already


REPEATS = 77
"""A pair that says of a memory that it repeats others."""


def repeating(batch: RecordBatch) -> RecordBatch:
    n = len(batch)
    return replace(batch, pairs=np.full(n, REPEATS, np.uint64), pair_offsets=np.arange(n + 1))


def corpus(namespace: NamespaceBank, scan: ScanFilter, terms: np.ndarray) -> tuple[int, float, list[int]]:
    with namespace.view(scan) as view:
        return view.n_documents, view.mean_length, view.document_frequency(terms).tolist()


def test_a_filter_without_what_repeats_others_has_a_corpus_without_it() -> None:
    alone = replace(EVERYTHING, no_pairs=(REPEATS,))
    written, made = batch_of([1, 2, 3]), repeating(batch_of([11, 12], version=5))
    terms = np.unique(np.concatenate([written.term_ids, made.term_ids]))
    namespace, other = Bank(repeating=[REPEATS]).open("ns", 8), Bank().open("ns", 8)
    other.put(written)
    namespace.put(written)
    namespace.put(made)
    assert corpus(namespace, alone, terms) == corpus(other, EVERYTHING, terms)
    other.put(made)
    assert corpus(namespace, EVERYTHING, terms) == corpus(other, EVERYTHING, terms)
    assert corpus(other, alone, terms) == corpus(other, EVERYTHING, terms)  # nothing is known to repeat others there
    # Revised, erased and taken away: the counts follow.
    namespace.put(repeating(batch_of([11], version=6)))
    namespace.put(batch_of([12], version=6))
    other.erase(made.memory_ids)
    other.put(batch_of([12], version=6))
    assert corpus(namespace, alone, terms) == corpus(other, EVERYTHING, terms)
    namespace.erase(made.memory_ids)
    namespace.compact()
    other.erase(made.memory_ids)
    assert corpus(namespace, alone, terms) == corpus(namespace, EVERYTHING, terms) == corpus(other, EVERYTHING, terms)
    assert namespace._counts.repeats == Corpus()


def test_what_leaves_is_gone_to_the_last_byte_and_links_to_it_stay(namespace: NamespaceBank) -> None:
    linked = with_links(batch_of([2]), [[(Relation.DERIVED_FROM, bytes(batch_of([1]).memory_ids[0]))]])
    namespace.put(batch_of([1]))
    namespace.put(batch_of([1], version=2))
    namespace.put(linked)
    gone = namespace.holds(batch_of([1, 2, 3]).memory_ids)
    assert gone.tolist() == [True, True, False]
    namespace.leave(batch_of([1, 3]).memory_ids)
    assert namespace.holds(batch_of([1, 2]).memory_ids).tolist() == [False, True]
    assert [f.version for f in namespace.fingerprints()] == [1]
    with namespace.view(EVERYTHING) as view:
        assert view.eligible == 1
        columns, _ = view.ranges("links", view.slots_of(linked.memory_ids))
    assert columns["targets"].tolist() == linked.link_targets.tolist()
    namespace.put(batch_of([1], version=3))
    assert len(namespace) == 2


def test_two_banks_are_searched_as_if_they_were_one(namespace: NamespaceBank) -> None:
    pool = PagePool()
    parts = [NamespaceBank(pool, namespace.dim) for _ in range(2)]
    for number in range(1, 9):
        for version in (1, 2):
            namespace.put(batch_of([number], version=version))
            parts[number % 2].put(batch_of([number], version=version))
    vector = np.random.default_rng(1).standard_normal(namespace.dim).astype(np.float32)
    terms = np.unique(batch_of([1, 2, 3]).term_ids)
    for scan in (EVERYTHING, replace(EVERYTHING, as_of_us=int(batch_of([1]).recorded_from_us[0]))):
        with namespace.view(scan) as whole, joint_view(parts, scan, nullcontext()) as joint:
            assert (joint.eligible, joint.n_documents, joint.mean_length) == (
                whole.eligible,
                whole.n_documents,
                whole.mean_length,
            )
            assert joint.document_frequency(terms).tolist() == whole.document_frequency(terms).tolist()
            found = [
                (sorted(map(bytes, view.memory_id(best.slots))), np.sort(best.scores).tolist())
                for view in (whole, joint)
                for best in (view.nearest(vector, 5),)
            ]
            assert found[0] == found[1]
            ids = batch_of([8, 1, 99]).memory_ids
            slots = joint.slots_of(ids)
            assert slots[2] == -1
            assert joint.memory_id(slots[:2]).tolist() == ids[:2].tolist()
            assert len(joint.sequence_order()) == len(whole.sequence_order())
