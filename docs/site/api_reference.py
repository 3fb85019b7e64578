"""Every route and field, from `tests/golden/openapi.json`: a page without a script or anything from another host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "openapi.json"

_HEAD = """# Every route and field

<!-- Generated from the service's own description by docs/site/api_reference.py. -->

What [the API page](api.md) says in words, here in full. The running service has the same at `/openapi.json`. A field
without a default has to be given; in answers every field is there.

"""
_BOUNDS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
}

Schema = Mapping[str, Any]


def described() -> dict[str, Any]:
    """What the service says of itself at `/openapi.json`."""
    api: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return api


def render() -> str:
    """The page, as Markdown."""
    api = described()
    groups: dict[str, list[str]] = {}
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            groups.setdefault(_group(path), []).append("\n".join(_route(method.upper(), path, route)))
    parts = [_HEAD]
    for name, routes in sorted(groups.items()):
        parts += [f"## {name}\n", *routes]
    parts.append("## Objects\n")
    parts += ["\n".join(_object(name, schema)) for name, schema in sorted(api["components"]["schemas"].items())]
    return "\n".join(parts)


def _group(path: str) -> str:
    """Routes stand together by what they are about: `/v1/memories/{id}:forget` is about memories."""
    found = re.match(r"/v1/([a-z-]+)", path)
    return found[1].replace("-", " ").capitalize() if found else "The process"


def _route(method: str, path: str, route: Schema) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    if said := route.get("description"):
        yield f"{said}\n"
    if parameters := route.get("parameters"):
        yield from _table(
            ("parameter", "where", "type", "default", ""),
            (
                (
                    f"`{p['name']}`",
                    p["in"],
                    _type(p["schema"]),
                    _absent(p["schema"], p["required"]),
                    p.get("description", ""),
                )
                for p in parameters
            ),
        )
    if body := route.get("requestBody"):
        yield f"Body: {_contents(body['content'])}\n"
    refusals = []
    for status, answer in route["responses"].items():
        if status >= "4":
            refusals.append(status)
        else:
            contents = _contents(answer.get("content", {}))
            yield f"- **{status}** {answer['description']}{f' {contents}' if contents else ''}"
    if refusals:
        yield f"- Refusals ([Problem](#problem)): {', '.join(refusals)}"
    yield ""


def _object(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    if said := schema.get("description"):
        yield f"{said}\n"
    if fields := schema.get("properties"):
        required = set(schema.get("required", ()))
        yield from _table(
            ("field", "type", "default", ""),
            (
                (f"`{field}`", _type(of), _absent(of, field in required), of.get("description", ""))
                for field, of in fields.items()
            ),
        )
    else:
        yield f"{_type(schema)}\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(_cell(text) for text in row)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _contents(content: Mapping[str, Any]) -> str:
    """What a body may hold: a link to the object, or its type."""
    return "; ".join(
        _type(of["schema"]) if "json" in media and of.get("schema") else f"`{media}`" for media, of in content.items()
    )


def _type(schema: Schema) -> str:
    """In the words of JSON, with bounds: `list of [LinkIn](#linkin), at most 100`."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(one) for one in several))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if options := schema.get("enum"):
        return " · ".join(f"`{option}`" for option in options)
    bounds = ["not empty"] if schema.get("minLength") == 1 or schema.get("minItems") == 1 else []
    bounds += [
        text.format(_number(schema[key]))
        for key, text in _BOUNDS.items()
        if key in schema and not _is_said(key, schema)
    ]
    return ", ".join([_kind(schema), *bounds])


def _is_said(key: str, schema: Schema) -> bool:
    """A least length of one is called "not empty"."""
    return key in ("minLength", "minItems") and schema[key] == 1


def _number(bound: float) -> str:
    return f"{bound:,.0f}" if bound == int(bound) else str(bound)


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
    if kind == "object" and isinstance(of := schema.get("additionalProperties"), dict) and of:
        return f"object of {_type(of)}"
    if kind == "string" and schema.get("format") == "date-time":
        return "time (RFC 3339)"
    return str(kind)


def _absent(schema: Schema, is_required: bool) -> str:
    """What holds where it is not given; nothing if it has to be."""
    if "default" in schema:
        return f"`{json.dumps(schema['default'])}`"
    return "" if is_required else "left out"
