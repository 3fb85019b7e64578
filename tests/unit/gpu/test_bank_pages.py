import numpy as np
import pytest

from gpu.bank.errors import PageOwnershipError
from gpu.bank.layouts import ATTRIBUTES, TERMS, Tier, codes
from gpu.bank.pages import HEADER_BYTES, Layout, PageList, PagePool

SMALL = Layout(("wide", "uint64"), ("narrow", "uint8", 3), smallest_page=16, largest_page=64)


def filled(pages: PageList, count: int) -> None:
    for page, local, i, j in pages.extend(count):
        page.write(local, {"wide": np.arange(1, count + 1), "narrow": np.full((count, 3), 7)}, i, j)


def test_extend_writes_every_element_once_and_in_order() -> None:
    pages = PageList(PagePool(), SMALL, 1)
    for count in (1, 15, 1, 0, 200, 3):
        filled(pages, count)
    held = np.concatenate([page.column("wide") for page in pages.table.pages])[: pages.length]
    assert held.tolist() == [i for count in (1, 15, 1, 0, 200, 3) for i in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 16, 17, 100, 1000, 5000])
@pytest.mark.parametrize("at_once", [True, False])
def test_growth_wastes_at_most_a_quarter(count: int, at_once: bool) -> None:
    pages = PageList(PagePool(), ATTRIBUTES, 1)
    for step in [count] if at_once else [1] * count:
        for _ in pages.extend(step):
            pass
    assert pages.length == count
    assert count <= pages.capacity <= max(16, count * 1.25 + 16)
    assert [page.capacity & (page.capacity - 1) for page in pages.table.pages] == [0] * len(pages.table.pages)


def test_ranges_never_cross_a_page() -> None:
    rng = np.random.default_rng(3)
    pages = PageList(PagePool(), TERMS, 1)
    for _ in range(20):
        offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 60, 30))])
        seen = 0
        for page, local, i, j in pages.reserve(offsets):
            assert local >= 0
            assert local + offsets[j] - offsets[i] <= page.capacity
            seen += int(offsets[j] - offsets[i])
        assert seen == offsets[-1]


def test_a_range_larger_than_a_page_gets_a_page_of_its_own() -> None:
    pages = PageList(PagePool(), SMALL, 1)
    spans = list(pages.reserve(np.array([0, 3, 1003, 1003, 1005])))
    assert [(i, j) for _, _, i, j in spans] == [(0, 1), (1, 4)]
    assert spans[1][0].capacity >= 1000


def test_empty_ranges_take_no_page() -> None:
    pages = PageList(PagePool(), TERMS, 1)
    assert list(pages.reserve(np.zeros(6, np.int64))) == []
    assert pages.memory_bytes() == 0


def test_a_page_given_back_is_zero_and_used_again() -> None:
    pool = PagePool()
    pages = PageList(pool, SMALL, pool.new_owner())
    filled(pages, 16)
    buffer = pages.table.pages[0].buffer
    assert buffer.any()
    pages.release()
    assert not buffer.any()
    assert pool.free_bytes == buffer.nbytes
    other = PageList(pool, SMALL, pool.new_owner())
    filled(other, 1)
    assert other.table.pages[0].buffer is buffer
    assert pool.free_bytes == 0


def test_the_pool_keeps_no_more_than_it_may() -> None:
    pool = PagePool(keep_bytes=0)
    pages = PageList(pool, SMALL, pool.new_owner())
    filled(pages, 100)
    pages.release()
    assert pool.free_bytes == 0
    assert list(pool.free_buffers()) == []


def test_a_page_of_somebody_else_is_refused() -> None:
    pool = PagePool()
    pages = PageList(pool, SMALL, pool.new_owner())
    filled(pages, 16)
    table = pages.table
    assert table.check(table.pages[0]) is table.pages[0]
    pages.release()
    with pytest.raises(PageOwnershipError):
        table.check(table.pages[0])
    other = PageList(pool, SMALL, pool.new_owner())
    filled(other, 1)
    assert other.table.pages[0].buffer is table.pages[0].buffer
    with pytest.raises(PageOwnershipError):
        table.check(table.pages[0])


@pytest.mark.parametrize("layout", [ATTRIBUTES, TERMS, codes(Tier.FP16, 384), codes(Tier.FP16, 7)])
def test_columns_are_aligned_and_do_not_overlap(layout: Layout) -> None:
    page = PagePool().take(layout, 48, 0, 1)
    for number, name in enumerate(layout.columns, start=1):
        assert page.column(name).flags.aligned
        page.column(name)[:] = number
    for number, name in enumerate(layout.columns, start=1):
        assert (page.column(name) == number).all()
    assert page.buffer.nbytes == HEADER_BYTES + 48 * layout.element_bytes
    assert page.header.tolist() == [1, page.generation]


def test_truncate_takes_back_what_nobody_has_seen() -> None:
    pages = PageList(PagePool(), SMALL, 1)
    filled(pages, 20)
    seen = pages.table
    filled(pages, 100)
    pages.truncate(20)
    assert pages.length == 20
    assert len(pages.table.pages) == len(seen.pages)
    held = np.concatenate([page.column("wide") for page in pages.table.pages])
    assert held[:20].tolist() == list(range(1, 21))
    assert not held[20:].any()
    filled(pages, 30)
    held = np.concatenate([page.column("wide") for page in pages.table.pages])
    assert held[:50].tolist() == [*range(1, 21), *range(1, 31)]
