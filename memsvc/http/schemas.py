"""Types that request and response models are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from pydantic_core.core_schema import ValidationInfo

from memsvc.core.clock import EPOCH
from memsvc.core.errors import NotFound
from memsvc.models.sealed import MARK

_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:[0-5]\d)", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ApiModel(BaseModel):
    """Base of all bodies: no coercion, no unknown fields, no change after reading."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def parse_instant(value: object) -> datetime:
    """An RFC 3339 time with a zone, as aware UTC.

    Raises:
        PydanticCustomError: it is no such time. Years 0001 to 9999; no leap seconds; nothing finer than microseconds
            is kept.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    found = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError(
            "instant", "give an RFC 3339 time with a zone, such as 2026-01-31T09:00:00Z or 2026-01-31T10:00:00+01:00"
        )
    day, time, fraction, zone = found.groups()
    micros = (fraction or "0")[:6].ljust(6, "0")
    try:
        parsed = datetime.fromisoformat(f"{day}T{time}.{micros}{'+00:00' if zone in 'Zz' else zone}")
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("instant", "there is no such time in the calendar, years 0001 to 9999") from None


def format_instant(moment: datetime) -> str:
    """RFC 3339 in UTC with a `Z`."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


Instant = Annotated[
    datetime,
    PlainValidator(parse_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [format_instant(EPOCH)]}),
]
"""A moment: RFC 3339 with a zone in requests, UTC with `Z` in answers."""


def _parse_id(value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, str) and _UUID.fullmatch(value):
        return UUID(value)
    raise PydanticCustomError("uuid", "give a UUID such as 0198c5a0-0000-7000-8000-000000000000")


Id = Annotated[
    UUID,
    PlainValidator(_parse_id),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "format": "uuid"}),
]
"""An id in a body: a UUID in its usual form, no braces, no URN."""


def path_id(text: str) -> UUID:
    """The id in a URL.

    Raises:
        NotFound: it is no UUID, so nothing can have it; the same answer as for an unknown one.
    """
    if not _UUID.fullmatch(text):
        raise NotFound("there is nothing with this id")
    return UUID(text)


def _no_negative_zero(value: float) -> float:
    return value + 0.0


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "Input should be a valid number")
    return value


FiniteFloat = Annotated[
    float, BeforeValidator(_not_bool), Field(allow_inf_nan=False), AfterValidator(_no_negative_zero)
]
"""A double that is neither NaN nor infinite; -0.0 becomes 0.0."""


def _check_storable(text: str) -> None:
    if "\x00" in text:
        raise PydanticCustomError("text_nul", "the text holds a NUL character")
    if text.startswith(MARK):
        raise PydanticCustomError("text_mark", "the text begins like one that is encrypted")


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bounds of a text in UTF-8 bytes, for use inside `Annotated[str, Bytes(256)]`.

    Args:
        most: the bound, or the name of the setting that holds it.
        least: fewest bytes.
        blank_ok: whether a text of white space alone is accepted.
    """

    most: int | str
    least: int = 1
    blank_ok: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Callable[[CoreSchema], Any]) -> Any:
        shape = handler(schema)
        if self.least:
            shape["minLength"] = 1
        if isinstance(self.most, int):
            shape["maxLength"] = self.most
        return shape

    def _check(self, text: str, info: ValidationInfo) -> str:
        _check_storable(text)
        most = self.most if isinstance(self.most, int) else getattr((info.context or {})["settings"], self.most)
        size = len(text) if text.isascii() else len(text.encode())
        if size > most:
            raise PydanticCustomError("text_too_long", "the text is longer than {most} bytes", {"most": most})
        if size < self.least:
            raise PydanticCustomError("text_too_short", "the text is shorter than {least} bytes", {"least": self.least})
        if not self.blank_ok and self.least and not text.strip():
            raise PydanticCustomError("text_blank", "the text holds only white space")
        return text


Name = Annotated[str, Bytes(256)]
"""A short text: 1 to 256 bytes of UTF-8, no NUL, not blank."""
