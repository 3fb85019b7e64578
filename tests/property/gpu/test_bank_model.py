"""A bank under random writes answers like a dictionary of memories searched by brute force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gpu.bank.bank import Bank
from gpu.bank.batches import take
from gpu.bank.filters import Range, ScanFilter, TimeColumn
from gpu.bank.fingerprints import fingerprints
from gpu.bank.layouts import ARENAS
from gpu.bank.records import NEVER_US, Kind, RecordBatch, State, no_links
from gpu.ops.bm25_scan.reference import bm25_rows
from gpu.ops.context_scores.reference import context_rows
from gpu.ops.dense_scan.reference import dense_rows
from gpu.ops.filter_scan.reference import filter_rows
from tests.fixtures.bank_records import random_batch, with_links

DIM = 8
Key = tuple[bytes, int]


def scans(draw: Any, clock: int) -> ScanFilter:
    return ScanFilter(
        kinds=frozenset(draw(st.sets(st.sampled_from(Kind), max_size=2))),
        states=frozenset(draw(st.sets(st.sampled_from(State), max_size=4))),
        any_pairs=tuple(tuple(2**63 + p for p in g) for g in draw(st.lists(st.sets(st.integers(0, 11)), max_size=2))),
        no_pairs=tuple(2**63 + p for p in draw(st.sets(st.integers(0, 11), max_size=2))),
        ranges=(Range(TimeColumn.OCCURRED, 100, 900),) if draw(st.booleans()) else (),
        now_us=draw(st.none() | st.integers(0, 1000)),
        as_of_us=draw(st.none() | st.integers(0, clock)),
        valid_at_us=draw(st.none() | st.integers(0, 1000)),
    )


def _without(one: RecordBatch, memory: bytes) -> RecordBatch:
    """The same version without links to a memory."""
    links = list(zip(one.link_relations, map(bytes, one.link_targets), strict=True))
    return with_links(one, [[link for link in links if link[1] != memory]])


class BankModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.namespace = Bank().open("ns", DIM)
        self.versions: dict[Key, RecordBatch] = {}
        self.current: dict[bytes, int] = {}
        self.clock = 1000

    def _close(self, key: Key, at_us: int) -> None:
        self.versions[key] = replace(self.versions[key], recorded_to_us=np.array([at_us]), **no_links(1))

    def _apply_current(self, one: RecordBatch) -> None:
        memory, version = one.memory_ids[0].tobytes(), int(one.versions[0])
        known = self.current.get(memory, 0)
        if version < known:
            return
        if 0 < known < version:
            self._close((memory, known), int(one.recorded_from_us[0]))
        self.current[memory] = version
        self.versions[memory, version] = one

    @rule(
        numbers=st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True),
        seed=st.integers(0, 2**32 - 1),
        bump=st.integers(0, 1),
    )
    def put(self, numbers: list[int], seed: int, bump: int) -> None:
        rng = np.random.default_rng(seed)
        batch = random_batch(rng, numbers, dim=DIM)
        versions = [self.current.get(batch.memory_ids[i].tobytes(), 1) + bump for i in range(len(batch))]
        self.clock += 1
        times = np.full(len(batch), self.clock)
        batch = replace(batch, versions=np.array(versions, np.int32), recorded_from_us=times)
        self.namespace.put(batch)
        for i in range(len(batch)):
            self._apply_current(take(batch, np.array([i])))

    @rule(number=st.integers(0, 60), seed=st.integers(0, 2**32 - 1), n=st.integers(2, 5))
    def put_chain(self, number: int, seed: int, n: int) -> None:
        """Several versions of one memory in one batch, in any order."""
        rng = np.random.default_rng(seed)
        memory = random_batch(rng, [number], dim=DIM).memory_ids[0].tobytes()
        first = self.current.get(memory, 0) + 1
        starts = [self.clock + 1 + i for i in range(n)]
        batch = random_batch(
            rng,
            [number] * n,
            dim=DIM,
            versions=list(range(first, first + n)),
            recorded_from=starts,
            recorded_to=[*starts[1:], NEVER_US],
        )
        self.clock += n
        self.namespace.put(take(batch, rng.permutation(n)))
        if memory in self.current:
            self._close((memory, self.current[memory]), starts[0])
        for i in range(n):
            one = take(batch, np.array([i]))
            self.versions[memory, first + i] = one if i == n - 1 else replace(one, **no_links(1))
        self.current[memory] = first + n - 1

    @rule(n=st.integers(1, 10), seed=st.integers(0, 2**32 - 1))
    @precondition(lambda self: self.versions)
    def replay(self, n: int, seed: int) -> None:
        """What is here already may come again, in any order."""
        rng = np.random.default_rng(seed)
        keys = sorted(self.versions)
        for at in rng.integers(0, len(keys), n):
            self.namespace.put(self.versions[keys[at]])

    @rule(numbers=st.lists(st.integers(0, 60), min_size=1, max_size=20, unique=True))
    def erase(self, numbers: list[int]) -> None:
        ids = random_batch(np.random.default_rng(0), numbers, dim=DIM).memory_ids
        self.namespace.erase(ids)
        for row in ids:
            memory = row.tobytes()
            self.current.pop(memory, None)
            self.versions = {key: _without(value, memory) for key, value in self.versions.items() if key[0] != memory}

    @rule(number=st.integers(0, 60), seed=st.integers(0, 2**32 - 1))
    def rewrite(self, number: int, seed: int) -> None:
        """Every version of a memory gets other vectors and token codes."""
        rng = np.random.default_rng(seed)
        memory = random_batch(rng, [number], dim=DIM).memory_ids[0].tobytes()
        for key in [key for key in self.versions if key[0] == memory]:
            other = random_batch(rng, [number], dim=DIM)
            columns = {name: getattr(other, name) for name in ("vectors", "view_offsets", "tokens", "token_offsets")}
            self.versions[key] = replace(self.versions[key], **columns)
            self.namespace.rewrite(self.versions[key])

    @rule()
    def compact(self) -> None:
        self.namespace.compact()

    @rule(data=st.data(), seed=st.integers(0, 2**32 - 1))
    def query(self, data: st.DataObject, seed: int) -> None:
        scan = scans(data.draw, self.clock + 2)
        rng = np.random.default_rng(seed)
        vector = rng.standard_normal(DIM).astype(np.float32)
        terms = (rng.choice(40, 5, replace=False) * 2654435761 % 2**32).astype(np.uint32)
        weights = rng.random(5).astype(np.float32)
        live = {key: b for key, b in self.versions.items() if self.current.get(key[0]) == key[1]}
        mean = float(np.mean([b.lengths[0] for b in live.values()])) if live else 0.0
        expected: dict[Key, tuple[float, float]] = {}
        for key, one in (self.versions if scan.as_of_us is not None else live).items():
            if filter_rows(one, scan)[0]:
                yes = np.ones(1, np.bool_)
                weight_of = dict(zip(terms.tolist(), weights.tolist(), strict=True))
                expected[key] = (
                    float(dense_rows(one.vectors, one.view_offsets, vector, yes)[0]),
                    float(bm25_rows(one, weight_of, 1.5, 0.75, mean, yes)[0]),
                )
        with self.namespace.view(scan) as view:
            assert view.eligible == len(expected)
            assert view.n_documents == len(live)
            frequencies = [sum(int(t) in b.term_ids for b in live.values()) for t in terms]
            assert view.document_frequency(terms).tolist() == frequencies
            assert abs(view.mean_length - mean) < 1e-9
            for at, scores in enumerate((view.dense(vector), view.bm25(terms, weights, 1.5, 0.75))):
                slots, best = view.top(scores, 1000)
                ids, versions = view.memory_id(slots), view.column("versions", slots)
                found = {(m.tobytes(), int(v)): float(s) for m, v, s in zip(ids, versions, best, strict=True)}
                wanted = {key: pair[at] for key, pair in expected.items() if pair[at] > -np.inf}
                assert found.keys() == wanted.keys()
                assert all(abs(found[key] - wanted[key]) < 1e-3 for key in wanted)
                assert (np.diff(best) <= 0).all()

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        """Where memories are, what they hold, and who stands beside whom in a conversation."""
        as_of = data.draw(st.none() | st.integers(0, self.clock + 2))
        held = {
            key[0]: one
            for key, one in self.versions.items()
            if (
                self.current.get(key[0]) == key[1]
                if as_of is None
                else int(one.recorded_from_us[0]) <= as_of < int(one.recorded_to_us[0])
            )
        }
        asked = [bytes(random_batch(np.random.default_rng(0), [i]).memory_ids[0]) for i in (*range(0, 60, 7), 3, 3)]
        with self.namespace.view(ScanFilter(states=frozenset(), as_of_us=as_of)) as view:
            slots = view.slots_of(np.frombuffer(b"".join(asked), np.uint8).reshape(-1, 16))
            assert [slot >= 0 for slot in slots] == [memory in held for memory in asked]
            for name, arena in ARENAS.items():
                values, offsets = view.ranges(name, slots[slots >= 0])
                for i, memory in enumerate(memory for memory in asked if memory in held):
                    for column, flat in arena.columns.items():
                        expected = getattr(held[memory], flat)
                        assert values[column][offsets[i] : offsets[i + 1]].tolist() == expected.tolist()
            members = [(int(one.sequences[0]), memory) for memory, one in held.items() if one.sequences[0]]
            order = view.sequence_order()
            found = zip(view.column("sequences", order).tolist(), map(bytes, view.memory_id(order)), strict=True)
            assert list(found) == sorted(members)
            scores = np.full(view.n_slots, -np.inf, np.float32)
            memories, values = sorted(held), np.random.default_rng(0).random(len(held), dtype=np.float32)
            values[::3] = -np.inf
            at = view.slots_of(np.frombuffer(b"".join(memories), np.uint8).reshape(-1, 16))
            scores[at] = values
            expected = context_rows(values, [int(held[m].sequences[0]) for m in memories], memories, (0.5, 0.25, 0.125))
            np.testing.assert_allclose(view.context_scores(scores, (0.5, 0.25, 0.125))[at], expected, rtol=1e-6)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert len(self.namespace) == len(self.current)
        held = list(self.namespace.fingerprints())
        assert len(set(held)) == len(held)
        assert set(held) == {f for one in self.versions.values() for f in fingerprints(one)}


TestBankModel = BankModel.TestCase
TestBankModel.settings = settings(max_examples=30, stateful_step_count=20, suppress_health_check=list(HealthCheck))
