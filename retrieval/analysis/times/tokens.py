"""Words, numbers and date forms of a text: what the grammar of times reads.

Whatever carries a digit and is no known form (versions, addresses, amounts, ids) is one piece of junk, so that nothing
inside it can be taken for a date.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

_START = r"(?<![\w$€£¥#@/\\.:+])(?<![^\W\d]-)"
_END = r"(?![\w%$€£°]|[.:/\\+@][\w]|,[0-9]{3}(?![0-9])|[-–][^\W\d])"
_WHOLE = rf"{_END}(?![-–][0-9])"
_CLOCK = r"(?:[01]?[0-9]|2[0-3])"
_FORM = re.compile(
    "|".join(
        (
            r"(?P<word>(?<![\w@#/\\])[^\W\d_]++(?:['’][^\W\d_]{1,3})?(?![\w@/\\]))",
            rf"(?=['’QqHh0-9])(?:(?P<iso>{_START}[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}"
            rf"(?:[T ]{_CLOCK}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]{{1,9}})?)?"
            rf"(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}}|[ ]UTC)?)?{_WHOLE})",
            rf"(?P<ymd>{_START}[0-9]{{4}}(?P<slash>[/.])[0-9]{{1,2}}(?P=slash)[0-9]{{1,2}}{_WHOLE})",
            rf"(?P<dmy>{_START}[0-9]{{1,2}}(?P<dot>[/.\-])[0-9]{{1,2}}(?P=dot)[0-9]{{4}}{_WHOLE})",
            rf"(?P<mdy>{_START}[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{2}}{_WHOLE})",
            rf"(?P<ym>{_START}(?:1[5-9]|20)[0-9]{{2}}-(?:0[1-9]|1[0-2]){_WHOLE})",
            rf"(?P<my>{_START}(?:0?[1-9]|1[0-2])/(?:1[5-9]|20)[0-9]{{2}}{_WHOLE})",
            rf"(?P<clock>(?<![\w$€£¥#@/\\.:+]){_CLOCK}"
            rf"(?::[0-5][0-9](?::[0-5][0-9])?(?:[ ]?(?:[ap]\.m\.|[aApP][mM]\b))?|[ ]?(?:[ap]\.m\.|[aApP][mM]\b))"
            r"(?![\w:]))",
            r"(?P<decade>(?<![\w$€£¥#@/\\.:+])['’]?(?:1[5-9]|20)?[0-9]0['’]?s(?!\w))",
            r"(?P<short>(?<![\w'’])['’][0-9]{2}(?!\w))",
            rf"(?P<ordinal>(?<![\w$€£¥#@/\\.:+])[0-9]{{1,2}}(?:st|nd|rd|th){_END})",
            rf"(?P<fraction>(?<!\w)[QqHh][1-4]{_END})",
            rf"(?P<number>(?:{_START}|(?<=\bmid-)|(?<=\bMid-))[0-9]{{1,4}}{_END}))",
            r"(?P<junk>[\w$€£#@]++(?:[.\-/:@,+]++\w++)*+)",
            r"(?P<mark>[.,;:!?()\n\-–—&\"])",
        )
    )
)


class Token(NamedTuple):
    """A piece of text: the form it has, and itself in lower case and as written."""

    kind: str
    low: str
    raw: str


END = Token("end", "", "")
"""Stands before the first and after the last token."""


def tokens(text: str, most: int = 65_536) -> list[Token]:
    """The first tokens of a text in order, in time linear in its length; 256 KiB of prose have fewer than `most`."""
    found = []
    for match in islice(_FORM.finditer(text), most):
        raw = match.group()
        found.append(Token(match.lastgroup or "junk", raw.lower().replace("’", "'"), raw))
    return found
