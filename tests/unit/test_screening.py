"""What screening finds, what it leaves alone, and that no text makes it slow."""

from __future__ import annotations

import random
import string
import time

import pytest

from memsvc.core.errors import InvalidInput
from memsvc.core.settings import Family
from memsvc.memories.draft import Draft
from memsvc.screening.rules import FAMILIES, FINDERS, in_force
from memsvc.screening.screen import screened

RANDOM = random.Random(7)
ALNUM = string.ascii_letters + string.digits


def some(length: int, of: str = ALNUM) -> str:
    return "".join(RANDOM.choices(of, k=length))


# Made here, piece by piece, so that no file of this repository holds what looks like a credential.
CREDENTIALS = [
    "AKIA" + some(16, string.ascii_uppercase + string.digits),
    "ghp_" + some(36),
    "github_pat_" + some(82),
    "glpat-" + some(20),
    "xoxb-" + some(12, string.digits) + "-" + some(24),
    "sk_live_" + some(24),
    "sk-ant-api03-" + some(93),
    "sk-proj-" + some(20) + "T3BlbkFJ" + some(20),
    "AIza" + some(35),
    "hf_" + some(34, string.ascii_letters),
    "npm_" + some(36),
    "pypi-AgE" + some(80),
    "SG." + some(22) + "." + some(43),
    "msk_" + some(43),
    "eyJ" + some(20) + ".eyJ" + some(60) + "." + some(43),
    "-----BEGIN RSA PRIVATE KEY-----\n" + some(64) + "\n" + some(64) + "\n-----END RSA PRIVATE KEY-----",
]
ASSIGNED = [
    ("The password is hunter2xyz, do not tell.", "hunter2xyz"),
    ("DB_PASSWORD=correct-Horse7", "correct-Horse7"),
    ('{"api_key": "9f86d081884c7d65"}', "9f86d081884c7d65"),
    ("postgres://ada:s3cretive@db.example/main", "s3cretive"),
    ("aws_secret_access_key = " + "A1b2" * 10, "A1b2" * 10),
]
ORDINARY = [
    "I forgot my password again and had to reset it.",
    "The password is on the sticky note.",
    "Her secret: she has never read it.",
    "Commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b fixed it.",
    "The task-runner skipped sk-learn tests.",
    "Meet me at https://example.com:8080/path?user=ada@home at 10:30.",
    "Order 4111-22 has 1234567890123456 points.",
    "IBAN stands for international bank account number, DE as in Germany.",
    "The token: word, piece, or byte.",
]


def found(family: Family, text: str) -> list[str]:
    return [text[start:end] for start, end in FINDERS[family](text)]


@pytest.mark.parametrize("secret", CREDENTIALS, ids=lambda secret: secret[:8])
def test_credentials_are_found_whole(secret: str) -> None:
    assert found("credential", f"Use {secret} for now.") == [secret]
    assert found("credential", secret) == [secret]


@pytest.mark.parametrize(("text", "secret"), ASSIGNED)
def test_of_an_assignment_only_the_value_is_found(text: str, secret: str) -> None:
    assert found("credential", text) == [secret]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert {family: found(family, text) for family in FAMILIES if family != "email"} == {
        family: [] for family in FAMILIES if family != "email"
    }


@pytest.mark.parametrize(
    ("family", "text", "expected"),
    [
        ("card", "Visa 4111 1111 1111 1111.", ["4111 1111 1111 1111"]),
        ("card", "Amex 378282246310005", ["378282246310005"]),
        ("card", "4111 1111 1111 1112", []),
        ("card", "0000 0000 0000 0000", []),
        ("iban", "DE89 3704 0044 0532 0130 00 AND MORE", ["DE89 3704 0044 0532 0130 00"]),
        ("iban", "GB82WEST12345698765432", ["GB82WEST12345698765432"]),
        ("iban", "DE89 3704 0044 0532 0130 01", []),
        ("email", "Write to ada.l+x@mail.example.org.", ["ada.l+x@mail.example.org"]),
        ("email", "@ada and a@b", []),
        ("phone", "Call +44 20 7946 0958 at noon", ["+44 20 7946 0958"]),
        ("phone", "1+1 is 2, +5 degrees", []),
    ],
)
def test_personal_data_is_told_by_its_form(family: Family, text: str, expected: list[str]) -> None:
    assert found(family, text) == expected


SLOW = ["sk-", "eyJ", "password: ", "-----BEGIN PRIVATE KEY-----", "a://b:", "aws key ", "4 ", "DE00 ", "a.", "x@",
        "@a.", "+1", "ghp_", "0" * 50 + "-us", "A" * 200]  # fmt: skip


@pytest.mark.parametrize("piece", SLOW)
def test_no_text_makes_it_slow(piece: str) -> None:
    """Twice the text takes about twice the time: nobody can keep a server busy with 256 KiB."""
    text = piece * (65_536 // len(piece))
    for family in FAMILIES:
        if family == "phone":
            continue
        begin = time.thread_time()
        for _ in FINDERS[family](text):
            pass
        assert time.thread_time() - begin < 1.0, family


def test_what_is_redacted_leaves_no_trace_in_a_draft() -> None:
    secret = CREDENTIALS[1]
    draft = Draft(
        f"Key {secret}, mail a@b.example", {"metadata": {"deep": [{"k": secret}], "n": 1}, "tags": [secret, "x"]}
    )
    clean = screened(draft, {"credential": "redact", "email": "flag"})
    assert secret not in repr(clean)
    assert clean.content == "Key [redacted credential], mail a@b.example"
    assert clean.fields["metadata"] == {"deep": [{"k": "[redacted credential]"}], "n": 1}
    assert clean.flags == ("credential", "email")


def test_what_is_rejected_is_not_echoed() -> None:
    secret = CREDENTIALS[0]
    with pytest.raises(InvalidInput) as refused:
        screened(Draft("fine", {"source": {"url": secret}}), {"credential": "reject"})
    assert refused.value.errors[0].pointer == "/source"
    assert refused.value.errors[0].code == "contains_credential"
    assert secret not in f"{refused.value} {refused.value.errors}"


def test_a_namespace_stands_over_the_default() -> None:
    default = {"credential": "flag", "card": "reject"}
    own = {"screening": {"credential": "off", "email": "redact"}}
    assert in_force(default, own) == {"card": "reject", "email": "redact"}
    assert in_force(default, None) == default
