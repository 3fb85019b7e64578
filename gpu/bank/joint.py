"""Several banks of one namespace, seen as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray

from gpu.bank.corpus import Corpus
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.view import BankView


@contextmanager
def joint_view(
    banks: Sequence[NamespaceBank], scan: ScanFilter, still: AbstractContextManager[object]
) -> Iterator[BankView]:
    """A view of what a filter lets through in all of the banks, which hold different memories, as if in one.

    The nearest memories to a vector are found by comparing all: what a bank finds them with knows its own rows alone.

    Args:
        banks: of one namespace, with vectors of one dimension.
        scan: the filter.
        still: while it is held nobody moves a memory from one of the banks to another, so that the view has it once.
    """
    with ExitStack() as pinned:
        with still:
            seen = [pinned.enter_context(bank.pinned()) for bank in banks]
        segments = [one.current_rows for one in seen]
        if scan.as_of_us is not None:
            segments += [one.history_rows for one in seen]
        corpora = [bank.corpus_of(one, scan) for bank, one in zip(banks, seen, strict=True)]

        def frequency(term_ids: NDArray[np.uint32]) -> NDArray[np.int64]:
            return np.asarray(np.sum([of(term_ids) for _, of in corpora], axis=0, dtype=np.int64))

        view = BankView(tuple(segments), scan, sum((corpus for corpus, _ in corpora), Corpus()), frequency)
        try:
            yield view
        finally:
            view.close()
