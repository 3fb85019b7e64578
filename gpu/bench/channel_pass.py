"""Every channel in one pass beside the vectors alone, over many namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bench.descriptions import ask
from gpu.bench.namespaces import make, queries
from gpu.bench.results import Measured
from gpu.bench.timing import events_ms, graph_ms, wall_ms
from gpu.device import host_channels
from gpu.device.pool import DevicePool
from gpu.ops.channel_pass.layout import COLUMNS, RECORD_FORM, RECORD_MORE
from gpu.ops.channel_pass.op import PagedAttributes, channel_pass, launch, plan
from gpu.ops.channel_pass.questions import Question, pack
from gpu.ops.paged_search import op as paged
from gpu.ops.paged_search.op import GROUP, PagedRows

DIM = 384
K = 10
SIZES = (10_000,) * 256
AIM = 1.4
"""Times the time of the vectors alone."""
_ROW_BYTES = 1_400
"""Of vectors and attributes on the device, room for pages that are not full included."""
_SECTOR = 32
"""Bytes that a device reads at least: one of the directory and one of the entries for each asked id and group."""
_CHECKED = 4
_CLOSE = 1e-5

_COLUMNS_OF = {
    "terms": ("lengths",),
    "spans": ("occurred_us", "n_spans"),
    "now_us": ("recorded_from_us", "recalled_after_us", "stabilities"),
}
_FILTERED = ("expires_us", "valid_from_us", "valid_to_us", "trusts")
_STATE_BYTES = 1
_SPAN_BYTES = 16 / 3
"""A third of the memories speaks of a time."""


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """All channels with the vectors, and parts of it without: checked, then timed.

    Raises:
        AssertionError: an answer differs from the host's; nothing is reported.
    """
    yield from measured(SIZES, torch.device("cuda"), bytes_per_ms)


def measured(sizes: Sequence[int], device: torch.device, bytes_per_ms: float) -> Iterator[Measured]:
    """The same of one query in each of some namespaces of these sizes."""
    n, total = len(sizes), sum(sizes)
    pool = DevicePool(device, total * _ROW_BYTES + (64 << 20))
    made = make(pool, sizes, DIM, described=True)
    rng = np.random.default_rng(3)
    asked = [ask(rng) for _ in sizes]
    vectors = queries(n, DIM, device)
    rows, attributes = [one.rows for one in made.mirrors], [one.attributes for one in made.attributes]
    check(vectors, made.banks, rows, attributes, asked)
    alone = graph_ms(partial(paged.launch, vectors, paged.plan(rows), K))
    packed = [pack(one) for one in asked]
    batch = plan(attributes, packed, rows)

    ms = graph_ms(partial(launch, vectors, batch, K))
    dense_bytes = total * (DIM * 2 + 4)
    yield Measured(
        "channel_pass", f"{n} queries, all channels and the vectors of {sizes[0]:,} memories", ms,
        (dense_bytes + read_bytes(asked[0], attributes)) / bytes_per_ms, None,
        {
            "vectors_alone_ms": alone,
            "times_vectors_alone": ms / alone,
            "aim_times_vectors_alone": AIM,
            "whole_call_ms": events_ms(partial(channel_pass, vectors, batch, K)),
            "pack_ms": wall_ms(lambda: [pack(one) for one in asked]),
            "plan_ms": events_ms(lambda: plan(attributes, packed, rows)),
            "mirrored_rows_per_s": made.rows_per_s,
            "attribute_bytes_per_row": sum(one.memory_bytes for one in made.attributes) / total,
        },
    )  # fmt: skip
    for name, part in parts(asked).items():
        yield Measured(
            "channel_pass", f"{n} queries, {name}, without vectors",
            graph_ms(partial(launch, None, plan(attributes, [pack(one) for one in part]), K)),
            read_bytes(part[0], attributes) / bytes_per_ms, None,
        )  # fmt: skip


def parts(asked: Sequence[Question]) -> dict[str, list[Question]]:
    """All lists, and each alone without a filter."""
    nothing = Question(ScanFilter())
    return {
        "all lists": list(asked),
        "keyword": [replace(nothing, terms=one.terms) for one in asked],
        "entity": [replace(nothing, entities=one.entities) for one in asked],
        "temporal": [replace(nothing, spans=one.spans) for one in asked],
        "retention": [replace(nothing, now_us=one.now_us) for one in asked],
        "retention under the filter": [replace(nothing, now_us=one.now_us, scan=one.scan) for one in asked],
    }


def read_bytes(question: Question, attributes: Sequence[PagedAttributes]) -> float:
    """Bytes of some namespaces' attributes that such questions cannot do without."""
    columns = list(_FILTERED) if question.scan.ranges else []
    for part, names in _COLUMNS_OF.items():
        if getattr(question, part) is not None:
            columns += names
    packed = pack(question)
    asked = (2 * len(packed.ids) - packed.n_grouped) * 2 * _SECTOR  # terms are looked for in two places
    total = 0.0
    for of in attributes:
        widths = column_bytes(of)
        group = sum(widths[name] for name in dict.fromkeys(columns)) + asked + _STATE_BYTES * GROUP
        total += of.n_groups * group + (0.0 if question.spans is None else _SPAN_BYTES * of.n_slots)
    return total


def column_bytes(attributes: PagedAttributes) -> dict[str, float]:
    """Bytes that each column takes in a group on average, with its base."""
    records = attributes.records.cpu().numpy()
    numbers = np.ascontiguousarray(records[:, [RECORD_FORM, RECORD_MORE]]).view(np.uint8)
    means = numbers[:, : len(COLUMNS)].mean(axis=0).tolist() if len(records) else [0.0] * len(COLUMNS)
    return {name: 8 + 4 * bits for name, bits in zip(COLUMNS, means, strict=True)}


def check(
    vectors: torch.Tensor,
    banks: Sequence[NamespaceBank],
    rows: Sequence[PagedRows],
    attributes: Sequence[PagedAttributes],
    asked: Sequence[Question],
) -> None:
    """Compares some answers of a batch with those of the host's operations."""
    found = channel_pass(vectors, plan(attributes, [pack(one) for one in asked], rows), K)
    some = set(np.linspace(0, len(asked) - 1, min(_CHECKED, len(asked))).astype(int).tolist())
    assert found.dense is not None
    for i in some:
        with banks[i].view(asked[i].scan) as view:
            _, wanted = view.top(view.dense(vectors[i].cpu().numpy()), K)
            np.testing.assert_allclose(_scores(found.dense.scores[i]), wanted, atol=2e-5)
    for (query, which), best in zip(found.listed, found.best.scores, strict=True):
        if query in some:
            with banks[query].view(asked[query].scan) as view:
                _, wanted = host_channels.channels(view, asked[query], K)[which]
            np.testing.assert_allclose(_scores(best), wanted, atol=_CLOSE, rtol=_CLOSE)


def _scores(best: torch.Tensor) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Those that were found."""
    return best[best > float("-inf")].cpu().numpy()
