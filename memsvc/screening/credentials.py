"""Credentials, by the forms that their issuers gave them so that they can be found.

The forms are those that the issuers document; detect-secrets 1.5 has most of them. Every repetition is bounded, and no
match begins inside of a run of its own characters, so that the work is linear in the text: anybody may write 256 KiB
that are made to be slow (docs/decisions/0033-screening.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memsvc.auth.form import KEY

_START = r"(?<![A-Za-z0-9_-])"
_FORMS = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS access key id
    r"gh[pousr]_[A-Za-z0-9]{36,255}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{70,100}",
    r"gl(?:pat|dt|ft|rt|soat|cbt|imt|agent|oas)-[A-Za-z0-9_-]{20,64}",  # GitLab
    r"xox[abeposr]-[A-Za-z0-9-]{10,250}",  # Slack
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,247}",  # Stripe
    r"sk-ant-[a-z0-9]{2,10}-[A-Za-z0-9_-]{60,160}",  # Anthropic
    r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{16,100}T3BlbkFJ[A-Za-z0-9_-]{16,100}",  # OpenAI
    r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",  # Google
    r"ya29\.[A-Za-z0-9_-]{20,500}",
    r"hf_[A-Za-z0-9]{34}(?![A-Za-z0-9])",  # Hugging Face
    r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])",
    r"pypi-AgE[A-Za-z0-9_-]{50,1000}",
    r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])",  # SendGrid
    r"SK[0-9a-f]{32}(?![A-Za-z0-9])",  # Twilio
    r"[0-9a-f]{32}-us[0-9]{1,2}(?![A-Za-z0-9])",  # Mailchimp
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])",  # Telegram
    r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",  # Shopify
    KEY + r"(?![A-Za-z0-9_-])",  # this service
    r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}",  # JSON Web Token
)
_PATTERNS = (
    re.compile(_START + "(?:" + "|".join(_FORMS) + ")"),
    re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]{0,20000}-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?"
    ),
    re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/?#@\[\]]{0,128}:([^\s:/?#@\[\]]{3,256})@"),
    re.compile(r"aws.{0,20}?(?:key|secret|token|pw).{0,20}?[\s=:\"']([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])", re.I),
)
# A word for a secret, a sign that says what it is, and a value. `is` needs no sign: people write sentences.
_ASSIGNED = re.compile(
    r"(?<![A-Za-z])(?:password|passwd|passphrase|pwd|api[_ -]?key|secret[_ -]?key|access[_ -]?token|auth[_ -]?token|"
    r"client[_ -]?secret)[\"'`]?(?:\s{0,3}(?::=|=>|[:=])|\s{1,3}is:?)\s{0,3}[\"'`]?([^\s\"'`<>{}\[\]()]{6,200})",
    re.I,
)
_MARKS = re.compile(r"[^\w\s]|_")


def credentials(text: str) -> Iterator[tuple[int, int]]:
    """Where credentials stand: `[start, end)` of each, those of a URL or an assignment without what leads to them."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            yield match.span(match.lastindex or 0)
    for match in _ASSIGNED.finditer(text):
        start, end = match.span(1)
        value = match[1].rstrip(".,;:!?")
        if _looks_chosen(value):
            yield start, end - (len(match[1]) - len(value))


def _looks_chosen(value: str) -> bool:
    """Whether a value is one that nobody would write as a word: letters together with digits or marks."""
    has_letter, has_digit = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if has_letter and has_digit:
        return len(value) >= 6
    if value.isdigit():
        return len(value) >= 8
    return has_letter and len(value) >= 8 and len(_MARKS.findall(value[1:-1].replace("-", ""))) >= 2
