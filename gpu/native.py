"""Compiled loops: the decorators and the few primitives that numba lacks.

Kernels run without the interpreter lock, so that two recalls use two cores, and are cached on disk: only the first
process of an installation compiles. Kernels reach pages by address, the way a device kernel would, so that one call
covers all pages of a namespace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import ArrayLike, DTypeLike, NDArray

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile a loop; floating-point operations keep their order."""
    return cast(F, numba.njit(nogil=True, cache=True)(function))


def fast_jit(function: F) -> F:
    """Compile a loop whose sums may be reordered (so that they use vector registers); never for code that sees NaN."""
    flags = {"reassoc", "contract", "nsz", "arcp"}
    return cast(F, numba.njit(nogil=True, cache=True, fastmath=flags)(function))


def _primitive(generator: Callable[..., Any]) -> Callable[..., Any]:
    """A function of compiled code that is written as the instructions it stands for."""
    return cast(Callable[..., Any], intrinsic(generator))


@_primitive
def pointer(_context: Any, _address: Any) -> Any:
    """The pointer at an address (int64), for `numba.carray`."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate


@_primitive
def half_to_float(_context: Any, _bits: Any) -> Any:
    """float32 value of the half-precision number with these bits (uint16): exact, one instruction for many at once."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), generate


@_primitive
def prefetch(_context: Any, _address: Any) -> Any:
    """Ask for the cache line at an address (int64) before it is needed."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        # For reading, wanted again soon, data.
        builder.call(function, [builder.inttoptr(arguments[0], byte), word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@jit
def int64_at(address: int, count: int) -> Any:
    """int64 `[count]` at an address."""
    return carray(pointer(address), (count,), np.int64)


@jit
def uint64_at(address: int, count: int) -> Any:
    """uint64 `[count]` at an address."""
    return carray(pointer(address), (count,), np.uint64)


@jit
def uint32_at(address: int, count: int) -> Any:
    """uint32 `[count]` at an address."""
    return carray(pointer(address), (count,), np.uint32)


@jit
def int32_at(address: int, count: int) -> Any:
    """int32 `[count]` at an address."""
    return carray(pointer(address), (count,), np.int32)


@jit
def float32_at(address: int, count: int) -> Any:
    """float32 `[count]` at an address."""
    return carray(pointer(address), (count,), np.float32)


@jit
def uint16_at(address: int, count: int) -> Any:
    """uint16 `[count]` at an address."""
    return carray(pointer(address), (count,), np.uint16)


@jit
def int8_at(address: int, count: int) -> Any:
    """int8 `[count]` at an address."""
    return carray(pointer(address), (count,), np.int8)


@jit
def uint8_at(address: int, count: int) -> Any:
    """uint8 `[count]` at an address."""
    return carray(pointer(address), (count,), np.uint8)


def plain(values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """The same values as a contiguous, writable array: any other kind would make every kernel compile again."""
    if isinstance(values, np.ndarray) and values.dtype == dtype:
        flags = values.flags
        if flags.c_contiguous and flags.writeable:
            return values
    return np.require(values, dtype, ("C", "W"))


@jit
def owned(address: int, owner: int, generation: int) -> bool:
    """Whether the page at this address names this owner and generation in its header."""
    header = carray(pointer(address), (2,), np.int64)
    return bool(header[0] == owner and header[1] == generation)


@jit
def all_owned(entries: NDArray[np.int64], owner: int) -> bool:
    """Whether every page of a table (int64 `[n_pages, 4]`, see `PageTable.entries`) belongs to this owner."""
    for p in range(entries.shape[0]):  # noqa: SIM110 - compiled code knows no generators
        if not owned(entries[p, 0], owner, entries[p, 3]):
            return False
    return True


@jit
def page_of(entries: NDArray[np.int64], page: int, position: Any) -> Any:
    """The page of a table that holds a position, looked for from `page` on: rows follow the order of their arena."""
    if position < entries[page, 1]:
        page = 0
    while page + 1 < entries.shape[0] and entries[page + 1, 1] <= position:
        page += 1
    return page
