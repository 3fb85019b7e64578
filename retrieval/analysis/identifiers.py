"""Identifiers and quotations in a text: what has to be found exactly as it is.

An identifier is a run without spaces whose form no ordinary word has: addresses, paths, ids, codes, versions, names in
code. Dates, plain numbers and hyphenated words are none.
"""

from __future__ import annotations

import re

_MOST = 32
_MOST_PHRASES = 8
_LONGEST = 256
_LONGEST_PHRASE = 300

_B = r"(?<![\w/\\.@#:\-])"
_E = r"(?![\w])"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*+"
_SUFFIXES = (
    "py|rs|go|js|jsx|ts|tsx|c|h|cc|cpp|hpp|java|kt|swift|rb|php|cs|sh|sql|html|css|json|yaml|yml|toml|ini|cfg|conf|env|md"
    "|rst|txt|csv|tsv|pdf|docx?|xlsx?|pptx?|png|jpe?g|gif|svg|mp3|mp4|wav|zip|gz|tar|log|lock|ipynb|parquet|xml|bin|exe"
)
_IDENTIFIER = re.compile(
    "|".join(
        (
            r"(?P<url>(?<!\w)(?:https?|ftp|file|ssh|s3|git)://[^\s<>\"'`]{1,2000})",
            r"(?P<email>(?<![\w.+\-])[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8})",
            rf"(?P<uuid>{_B}[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}{_E})",
            r"(?P<windows>(?<!\w)[A-Za-z]:\\[^\s\"'<>|?*]{1,400})",
            r"(?P<path>(?<![\w/\\.:<])(?:~|\.{1,2})?(?:/[\w.+@%\-]{1,100}+){1,64}/?)",
            r"(?P<relative>(?<![\w/\\.:<@\-])[\w\-]{1,100}+(?:/[\w.\-]{1,100}+){1,64})",
            r"(?P<flag>(?<![\w\-])--[A-Za-z][\w\-]{1,100}+)",
            r"(?P<handle>(?<![\w.@/])@\w[\w.\-]{0,100}+)",
            r"(?P<issue>(?<![\w#&/])#[0-9]{1,9}(?!\w))",
            rf"(?P<hexadecimal>{_B}0[xX][0-9a-fA-F]{{2,64}}{_E})",
            rf"(?P<address>{_B}[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}(?::[0-9]{{1,5}})?(?![\w.]))",
            rf"(?P<version>{_B}(?:v[0-9]{{1,5}}(?:\.[0-9]{{1,6}}){{0,4}}|[0-9]{{1,5}}(?:\.[0-9]{{1,6}}){{2,4}})"
            r"(?:-?(?:rc|alpha|beta|a|b|dev|post)\.?[0-9]{0,4})?(?![\w]|\.\w))",
            rf"(?P<snake>{_B}\w*?(?<=[^\W_])_\w++(?:\.{_NAME})*+)",
            rf"(?P<file>{_B}[\w\-]{{1,100}}\.(?:{_SUFFIXES})(?![\w]|\.\w))",
            rf"(?P<dotted>{_B}[a-z][a-z0-9]{{1,40}}(?:\.[A-Za-z][A-Za-z0-9]{{1,40}}){{2,12}}(?!\w)"
            rf"|{_B}{_NAME}(?:\.{_NAME}){{1,12}}(?=\(\)))",
            rf"(?P<ticket>{_B}[A-Z][A-Z0-9]{{1,9}}-[0-9]{{1,8}}(?![\w\-]))",
            rf"(?P<code>{_B}[A-Z]{{1,6}}[0-9]{{3,8}}{_E})",
            rf"(?P<sha>{_B}(?=[0-9a-f]{{0,64}}[0-9])(?=[0-9a-f]{{0,64}}[a-f])[0-9a-f]{{7,64}}{_E})",
            rf"(?P<digits>{_B}[0-9]{{7,64}}(?![\w\-.,:/]|%))",
            rf"(?P<camel>{_B}[a-z]++(?:[A-Z][a-z0-9]++){{1,20}}{_E})",
        )
    )
)
_DATE = re.compile(r"[0-9]{4}([./\-])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([./\-])[0-9]{1,2}\2[0-9]{4}")
_DATE_DIGITS = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])")
_PHRASE = re.compile(
    rf"\"([^\"\n]{{2,{_LONGEST_PHRASE}}})\""
    rf"|[“„]([^“”„\n]{{2,{_LONGEST_PHRASE}}})[”“]"
    rf"|«([^«»\n]{{2,{_LONGEST_PHRASE}}})»"
    rf"|「([^「」\n]{{1,{_LONGEST_PHRASE}}})」"
    rf"|`([^`\n]{{2,{_LONGEST_PHRASE}}})`"
    rf"|(?<!\w)['‘]([^'‘’\n]{{2,{_LONGEST_PHRASE}}})['’](?!\w)"
)
_INCH = re.compile(r"[0-9]\Z")
_TRAILING = ".,;:!?)]}'\"-"


def identifiers(text: str) -> tuple[str, ...]:
    """Distinct identifiers as written, in their order, at most 32; those longer than 256 characters are left out."""
    found: dict[str, None] = {}
    for match in _IDENTIFIER.finditer(text):
        kind = match.lastgroup or ""
        written = match.group().rstrip(_TRAILING)
        if len(written) <= _LONGEST and _counts(kind, written):
            found[written] = None
            if len(found) == _MOST:
                break
    return tuple(found)


def phrases(text: str) -> tuple[str, ...]:
    """What stands in quotation marks or backticks, distinct, in its order, at most 8, of up to 300 characters."""
    found: dict[str, None] = {}
    for match in _PHRASE.finditer(text):
        phrase = " ".join((match[match.lastindex or 0] or "").split())
        inches = match.group()[0] == '"' and _INCH.search(text, max(0, match.start() - 1), match.start())
        if phrase and not inches:
            found[phrase] = None
            if len(found) == _MOST_PHRASES:
                break
    return tuple(found)


def _counts(kind: str, written: str) -> bool:
    """Whether a form is more than a word, a date or a fraction."""
    if kind == "relative":  # and/or, 3/4, he/she: no path without a file or a second level
        parts = written.split("/")
        return not written.replace("/", "").isdigit() and (len(parts) > 2 or "." in parts[-1] or "_" in written)
    if kind == "path":
        return len(written) > 1 and not written.replace("/", "").isdigit()
    if kind == "version":
        return not _DATE.fullmatch(written)
    if kind == "digits":
        return not _DATE_DIGITS.fullmatch(written)
    return len(written) > 1
