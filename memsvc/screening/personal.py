"""Personal data that can be told from other text by its form: cards, bank accounts, e-mail addresses, telephones."""

from __future__ import annotations

import re
from collections.abc import Iterator

Spans = Iterator[tuple[int, int]]

_CARD = re.compile(r"(?<![\d.,+-])\d(?:[ -]?\d){12,18}(?![\d])")
_ISSUERS = re.compile(r"4|5[1-5]|2[2-7]|3[47]|3[068]|35|6(?:011|4[4-9]|5|2)")
# ISO 13616 registry: the length of an IBAN by its country.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18,
    "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
    "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PT": 25, "QA": 29,
    "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "XK": 20,
}  # fmt: skip
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})\d{2}(?: ?[A-Z0-9]){11,27}")
_EMAIL = re.compile(
    r"(?<![\w.%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)


def cards(text: str) -> Spans:
    """Numbers of payment cards: 13 to 19 digits of a known issuer whose check digit is right (Luhn, ISO/IEC 7812)."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", match[0])
        if _ISSUERS.match(digits) and _luhn(digits):
            yield match.span()


def ibans(text: str) -> Spans:
    """International bank account numbers: of their country's length, with the right check digits (ISO 13616)."""
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[1])
        if length is None:
            continue
        ends = [place for place, char in enumerate(match[0], start=1) if char != " "]
        if len(ends) < length:
            continue
        end = match.start() + ends[length - 1]
        number = text[match.start() : end].replace(" ", "")
        turned = number[4:] + number[:4]
        if int("".join(str(int(char, 36)) for char in turned)) % 97 == 1:
            yield match.start(), end


def emails(text: str) -> Spans:
    """Addresses of mail, in the everyday form."""
    for match in _EMAIL.finditer(text):
        yield match.span()


def phones(text: str) -> Spans:
    """Telephone numbers in international form that can exist, by the numbering plans of phonenumbers."""
    if "+" not in text:
        return
    # Its tables take a while to read; they are for whoever has phones looked for.
    from phonenumbers import Leniency, PhoneNumberMatcher

    for match in PhoneNumberMatcher(text, None, leniency=Leniency.VALID):
        yield match.start, match.end


def _luhn(digits: str) -> bool:
    total = 0
    for place, char in enumerate(reversed(digits)):
        doubled = int(char) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
