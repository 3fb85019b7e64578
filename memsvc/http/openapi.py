"""Describing in OpenAPI what handlers read by themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from memsvc.http.problem import MEDIA_TYPE, Problem

_REF = "#/components/schemas/{model}"
_WORDS = {
    400: "The request cannot be read.",
    401: "A valid API key is needed.",
    403: "The key does not allow this.",
    404: "Not found.",
    408: "The request took too long to arrive.",
    409: "The state of the resource does not allow this.",
    412: "The resource has changed since you read it.",
    413: "The request is too large.",
    414: "The URL is too long.",
    415: "Only JSON is accepted.",
    422: "The input is not valid.",
    429: "Too many requests.",
    431: "The request headers are too large.",
    503: "The service cannot do this now.",
    507: "There is no room to write.",
}
PUBLIC: dict[str, Any] = {"security": []}
"""The `openapi_extra` of a route that needs no key."""

# Stands for a reference until a document is put together: pydantic refuses references that it has not made.
_MARK = "x-model"
_MODELS: dict[str, type[BaseModel]] = {}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body with `read_json(request, model, ...)`."""
    _register(model)
    schema = {_MARK: model.__name__}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def items_of(model: type[BaseModel]) -> dict[str, Any]:
    """The `json_schema_extra` of a list whose items are validated one by one, each against `model`."""
    _register(model)
    return {"items": {_MARK: model.__name__}}


def query_parameters(model: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its query string with `read_query(request, model, ...)`."""
    schema = model.model_json_schema(ref_template=_REF)
    required = set(schema.get("required", ()))
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in shape.items() if key != "description"},
            "description": shape.get("description", ""),
        }
        for name, shape in schema.get("properties", {}).items()
    ]
    return {"parameters": parameters}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that refuses with these statuses; where a key is asked for, limits are, too."""
    statuses = tuple(sorted({*statuses, 429} if 401 in statuses else statuses))
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    return {status: {"description": _WORDS[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses}


def _register(model: type[BaseModel]) -> None:
    known = _MODELS.setdefault(model.__name__, model)
    if known is not model:
        raise ValueError(f"two request models are called {model.__name__}")


def add_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """A document of FastAPI's with the schemas added that its routes name and FastAPI does not know of."""
    document.setdefault("components", {}).setdefault("schemas", {})
    _drop_foreign_errors(document)
    wanted = [Problem.__name__]
    document = _refer(document, wanted)
    schemas = document["components"]["schemas"]
    while wanted:
        name = wanted.pop()
        if name not in schemas:
            shape = _refer(_MODELS[name].model_json_schema(ref_template=_REF), wanted)
            for part, definition in shape.pop("$defs", {}).items():
                schemas.setdefault(part, definition)
            schemas[name] = shape
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def add_security(document: dict[str, Any], *, is_open: bool) -> None:
    """Say that requests carry a key, or that they may. Routes that need none override it with `PUBLIC`."""
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "msk_..."}}
    document["security"] = [{"key": []}, {}] if is_open else [{"key": []}]


def _drop_foreign_errors(document: dict[str, Any]) -> None:
    """FastAPI adds its own form of 422 to every route with parameters; ours refuse with problems."""
    for operations in document["paths"].values():
        for operation in operations.values():
            shown = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if str(shown.get("schema", {}).get("$ref", "")).endswith("/HTTPValidationError"):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _refer(shape: Any, wanted: list[str]) -> Any:
    """A copy with every mark turned into a reference; the names of what they refer to are added to `wanted`."""
    if isinstance(shape, dict):
        name = shape.get(_MARK)
        if isinstance(name, str):
            wanted.append(name)
            return {"$ref": _REF.format(model=name)}
        return {key: _refer(value, wanted) for key, value in shape.items()}
    return [_refer(value, wanted) for value in shape] if isinstance(shape, list) else shape


_register(Problem)
