"""The JSON reader against what arrives from outside."""

from __future__ import annotations

import json
import time
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memsvc.core.errors import InvalidInput, MalformedRequest, ServiceError, TooLarge
from memsvc.http import strict_json
from memsvc.http.strict_json import MAX_DEPTH, parse, pointer

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
)
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)


@given(VALUES, st.booleans())
def test_every_storable_value_comes_back_unchanged(value: object, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    try:
        parse(body)
    except ServiceError as refusal:
        assert refusal.status in {400, 413, 422}  # noqa: PT017


@given(st.text(alphabet='{}[]",:\\u0dD8e1-.ntf \x00', max_size=40))
def test_no_near_json_raises_anything_but_a_refusal(body: str) -> None:
    try:
        parse(body.encode())
    except ServiceError as refusal:
        assert refusal.status in {400, 413, 422}  # noqa: PT017


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a":1,}',
        b"[1,]",
        b"{} {}",
        b"{}x",
        b"\xef\xbb\xbf{}",
        b"{/* c */}",
        b"{'a': 1}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\x00"',
        b'"\n"',
        b'{"a": NaN}',
        b'{"a": [Infinity]}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": [{"b": 1, "c": 2, "b": 3}]}',
        b'{"a": 1, "\\u0061": 2}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"01",
        b"+1",
        b"\xfe\xff\x00{\x00}",
    ],
)
def test_what_is_not_one_json_document_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse(body)


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        (b'{"a": "\\ud83d"}', "/a", "text_surrogate"),
        (b'{"a": ["x", "\\udE00y"]}', "/a/1", "text_surrogate"),
        (b'{"\\ud83d": 1}', "/*", "text_surrogate"),
        (b'{"a": {"b": "\\u0000"}}', "/a/b", "text_nul"),
        (b'{"a\\u0000": 1}', "/*", "text_nul"),
        (b'{"a": 1e400}', "/a", "number_out_of_range"),
        (b'{"a": [-1e400]}', "/a/0", "number_out_of_range"),
        (b'{"a": 9223372036854775808}', "/a", "number_out_of_range"),
        (b'{"a": -9223372036854775809}', "/a", "number_out_of_range"),
        (b'{"a": 18446744073709551616}', "/a", "number_out_of_range"),
    ],
)
def test_what_nobody_could_store_is_named_by_its_place(body: bytes, where: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [(where, code)]


def test_thousands_of_digits_are_refused() -> None:
    with pytest.raises(InvalidInput):
        parse(b'{"a": ' + b"1" * 5000 + b"}")


def test_a_surrogate_pair_is_an_ordinary_character() -> None:
    assert parse(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_the_deepest_accepted_nesting() -> None:
    parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_a_million_values_are_refused_before_they_are_built() -> None:
    begin = time.thread_time()
    with pytest.raises(TooLarge):
        parse(b"[" + b"[]," * 5_000_000 + b"[]]")
    assert time.thread_time() - begin < 1


@given(st.lists(st.sampled_from(['"', "\\\\", '\\"', ",", "[", "x"]), min_size=1, max_size=12))
def test_separators_outside_strings_are_counted_whatever_the_escapes(parts: list[str]) -> None:
    text = json.dumps("".join(parts)).encode()
    with mock.patch.multiple(strict_json, MAX_VALUES=4, _CHUNK_BYTES=5):
        assert parse(b"[1,2,3," + text + b"]") == [1, 2, 3, "".join(parts)]
        with pytest.raises(TooLarge):
            parse(b"[1,2,3,4," + text + b"]")


def test_commas_inside_texts_are_not_values() -> None:
    assert parse(b'["' + b",[{" * 1_000_000 + b'"]') == [",[{" * 1_000_000]


@pytest.mark.parametrize(
    "body", [b'"' + b'\\"' * 2_000_000, b'{"a' * 5_000_000, b'["' + b",\\" * 2_000_001, b'"a' * 8_000_000]
)
def test_counting_values_takes_linear_time(body: bytes) -> None:
    begin = time.thread_time()
    with pytest.raises(ServiceError):
        parse(body)
    assert time.thread_time() - begin < 2


def test_a_batch_of_sixteen_mebibytes_parses_in_well_under_a_second() -> None:
    memory = {
        "content": "a line of text, as long as people write them\\n" * 360,
        "metadata": {"n": 1, "tags": ["a"] * 9},
    }
    body = json.dumps({"namespace": "n", "memories": [memory] * 1000}).encode()
    assert 15 << 20 < len(body) < 17 << 20
    begin = time.thread_time()
    parse(body)
    assert time.thread_time() - begin < 0.8


def test_a_pointer_shows_no_dangerous_key() -> None:
    assert pointer(("a", 0, "b-c.d_e")) == "/a/0/b-c.d_e"
    assert pointer(("<script>", "x" * 65, "a/b", "é", "")) == "/*/*/*/*/*"
