"""Every way in which a text may be meant to be read: as it stands, and with what is packed into it unpacked."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from urllib.parse import unquote

from retrieval.analysis.folding import folded_text
from retrieval.screening.disguise import plain, tagged

_SHORTEST = 24
_BASE64 = re.compile(rf"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{{_SHORTEST},}}={{0,2}}")
_HEX = re.compile(r"(?<!\w)(?:(?:\\x|0x)?[0-9a-fA-F]{2}[\s,:]?){16,}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){4,}")
_SPACED = re.compile(r"\b(?:\w[ ._*\-/|]){5,}\w\b")
_IN_WORDS = re.compile(r"\b(?=\w*[a-z])(?=\w*[0134579@$])[\w@$]{3,}\b")
_LEET = str.maketrans("0134579@$", "oieastgas")
_ODD = re.compile(r"\d|[@$]")
_NOT_HEX = re.compile(r"[^0-9a-fA-F]|(?<=\\)x|0x")
_TELLING = ("ignore", "disregard", "forget", "instruction", "system", "password", "always", "never", "previous")
_BACKWARDS = tuple(word[::-1] for word in _TELLING)
_TURNED = tuple(codecs.encode(word, "rot13") for word in _TELLING)
"""What gives away a text that is written backwards, or in letters thirteen places on."""
_MOST_PACKED = 20
"""Packed pieces that are looked at; and they are unpacked twice at most."""
_PRINTABLE = 0.9


def readings(text: str) -> Iterator[str]:
    """Folded readings of a text, each once, the text itself first."""
    seen: set[str] = set()
    for reading in _every(text):
        if reading and reading not in seen:
            seen.add(reading)
            yield reading


def _every(text: str) -> Iterator[str]:
    folded = folded_text(text)
    yield folded
    yield plain(folded)
    yield folded_text(tagged(text))
    for piece in _unpacked(text, 2):
        yield plain(folded_text(piece))
    squeezed = _SPACED.sub(lambda run: re.sub(r"[ ._*\-/|]", "", run[0]), plain(folded))
    yield squeezed
    if _ODD.search(folded):
        yield _IN_WORDS.sub(lambda word: word[0].translate(_LEET) if _ODD.search(word[0]) else word[0], plain(folded))
    if any(word in folded for word in _BACKWARDS):
        yield plain(folded)[::-1]
    if any(word in folded for word in _TURNED):
        yield codecs.encode(folded, "rot13")


def _unpacked(text: str, levels: int) -> Iterator[str]:
    """What the packed pieces of a text hold, where that is text."""
    pieces: list[str] = []
    if max(map(len, text.split()), default=0) >= _SHORTEST:
        pieces = [_base64(one[0]) for one, _ in zip(_BASE64.finditer(text), range(_MOST_PACKED), strict=False)]
    pieces += [_hex(one[0]) for one, _ in zip(_HEX.finditer(text), range(_MOST_PACKED), strict=False)]
    if "%" in text and (_PERCENT.search(text) or "%20" in text):
        pieces.append(unquote(text, errors="ignore"))
    for piece in pieces:
        if piece:
            yield piece
            if levels > 1:
                yield from _unpacked(piece, levels - 1)


def _base64(run: str) -> str:
    letters = run.rstrip("=").replace("-", "+").replace("_", "/")
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return _text(base64.b64decode(letters + "=" * (-len(letters) % 4)))
    except binascii.Error:
        return ""


def _hex(run: str) -> str:
    digits = _NOT_HEX.sub("", run)
    return _text(bytes.fromhex(digits[: len(digits) & ~1]))


def _text(raw: bytes) -> str:
    """Bytes as text; "" for what is none."""
    text = raw.decode("utf-8", "ignore")
    shown = sum(char.isprintable() or char.isspace() for char in text)
    return text if text and shown >= _PRINTABLE * len(raw.decode("utf-8", "replace")) else ""
