"""Letters that only look like others, and characters that are not seen at all.

The look-alikes are those of Latin small letters in Unicode's confusables (UTS 39) that a reader takes for them in
running text: Cyrillic, Greek, Armenian and IPA. Inside one word they have no business beside Latin letters.
"""

from __future__ import annotations

import regex

_ALIKE = str.maketrans(
    "асԁеһіјӏорԛѕтѵԝхуԍвкмнгпёїαβγεικνορτυχωηһոսօցհոɡɩɑıſƖ",
    "acdehijlopqstvwxygbkmnrneiabyeiknoptuxwnhnuoghngiaisl",
)
# Marks that reverse what is shown; tags, which show nothing; what stands between two letters and has no width.
_REVERSING = regex.compile(r"[\u202D\u202E]")
_TAGS = regex.compile(r"(?<![\U0001F3F4\U000E0020-\U000E007F])[\U000E0020-\U000E007E]{2,}")
_BETWEEN = regex.compile(r"(?<=[A-Za-z])[\u200B-\u200F\u2060-\u2064\uFEFF\u180E]+(?=[A-Za-z])")
_FEWEST_BETWEEN = 2  # one is a place to break a long word at, or was copied with it
_OTHER_SCRIPT = regex.compile(r"[\p{Cyrillic}\p{Greek}\p{Armenian}]")
_MIXED = regex.compile(r"\b(?=\p{L}*[A-Za-z])(?=\p{L}*[\p{Cyrillic}\p{Greek}\p{Armenian}])\p{L}{4,}\b")


def is_disguised(text: str) -> bool:
    """Whether a text is written so that it is read by machines otherwise than by people."""
    if text.isascii():
        return False
    if _REVERSING.search(text) or _TAGS.search(text):
        return True
    if len(_BETWEEN.findall(text)) >= _FEWEST_BETWEEN:
        return True
    if not _OTHER_SCRIPT.search(text):
        return False
    return any(plain(word.lower()).isascii() for word in _MIXED.findall(text))


def plain(text: str) -> str:
    """A folded text with look-alikes as the Latin letters that they are taken for."""
    return text if text.isascii() else text.translate(_ALIKE)


def tagged(text: str) -> str:
    """What tag characters spell, "" without any."""
    return " ".join("".join(chr(ord(char) - 0xE0000) for char in run) for run in _TAGS.findall(text))
