"""The meaning of the filter scan, in plain numpy over flat columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch


def filter_rows(batch: RecordBatch, scan: ScanFilter) -> NDArray[np.bool_]:
    """Which of the memory versions of a batch the filter lets through, bool `[n]`.

    With `as_of_us` the recorded interval must hold that instant, else the version must be the current one.
    """
    keep = np.ones(len(batch), np.bool_)
    if scan.kinds:
        keep &= np.isin(batch.kinds, [int(kind) for kind in scan.kinds])
    if scan.states:
        keep &= np.isin(batch.states, [int(state) for state in scan.states])
    for item in scan.ranges:
        values = getattr(batch, item.column)
        if values.dtype == np.int64:
            known = (values != UNKNOWN_US) & (values != NEVER_US)
        else:
            values = values.astype(np.float64)  # else bounds would be rounded to the precision of the column
            known = ~np.isnan(values)
        keep &= known & (values >= item.low) & (values <= item.high)
    if scan.now_us is not None:
        keep &= batch.expires_us > scan.now_us
    if scan.valid_at_us is not None:
        keep &= (batch.valid_from_us <= scan.valid_at_us) & (scan.valid_at_us < batch.valid_to_us)
    if scan.as_of_us is not None:
        keep &= (batch.recorded_from_us <= scan.as_of_us) & (scan.as_of_us < batch.recorded_to_us)
    else:
        keep &= batch.recorded_to_us == NEVER_US
    allowed = None if scan.allowed is None else {bytes(row) for row in scan.allowed}
    for i in range(len(batch)):
        pairs = set(batch.pairs[batch.pair_offsets[i] : batch.pair_offsets[i + 1]].tolist())
        keep[i] &= all(pairs.intersection(group) for group in scan.any_pairs)
        keep[i] &= not pairs.intersection(scan.no_pairs)
        keep[i] &= allowed is None or bytes(batch.memory_ids[i]) in allowed
    return keep
