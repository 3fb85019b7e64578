"""Query strings, read as strictly as bodies."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from memsvc.core.errors import FieldError, InvalidInput
from memsvc.core.settings import Settings
from memsvc.http.strict_json import pointer
from memsvc.http.validation import invalid

M = TypeVar("M", bound=BaseModel)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)


def _plain_integer(value: object) -> object:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise PydanticCustomError("int_parsing", "give a whole number in plain digits")
        return int(value)
    return value


QueryInt = Annotated[int, BeforeValidator(_plain_integer)]
"""A whole number in a query string: digits only, so neither `1e3` nor `1_000`."""


def read_query(request: Request, model: type[M], settings: Settings) -> M:
    """The query string of a request as a model, each parameter at most once.

    Raises:
        InvalidInput: a parameter is unknown, repeated, or does not fit the model.
    """
    pairs = request.query_params.multi_items()
    repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if repeated:
        errors = tuple(FieldError(pointer((name,)), "repeated", "give this parameter once") for name in repeated)
        raise InvalidInput("a query parameter is given more than once", errors=errors)
    values = dict(pairs)
    for name, value in values.items():
        if "\x00" in name or "\x00" in value or "\ufffd" in value:
            raise InvalidInput.field(pointer((name,)), "text_invalid", "the parameter is not valid UTF-8 text")
    try:
        return model.model_validate_strings(values, context={"settings": settings})
    except ValidationError as error:
        raise invalid(error, values) from None


def check_limit(limit: int, settings: Settings) -> None:
    """Refuse a page that is longer than any may be.

    Raises:
        InvalidInput: it is.
    """
    if limit > settings.page_max:
        raise InvalidInput.field("/limit", "less_than_equal", f"must be at most {settings.page_max}")
