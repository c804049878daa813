"""The API's reference as one of our own pages, drawn on the server from the schema that programs read.

It needs no script, speaks the page's language around the schema's English, and follows theme and policy like any page.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

Schema = Mapping[str, Any]
_PREFIX = "#/components/schemas/"


@dataclasses.dataclass(frozen=True)
class Field:
    """One value that is sent, answered or stands in an address."""

    name: str
    kind: str
    """In words: text, whole number, list of ..."""
    shape: str
    """Name of the shape that it has, if that has fields of its own."""
    values: list[str]
    """All that are allowed, where they are few."""
    text: str
    is_required: bool


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    text: str
    fields: list[Field]


@dataclasses.dataclass(frozen=True)
class Call:
    """One method of one address."""

    method: str
    path: str
    summary: str
    parameters: list[Field]
    body: str
    """Shape of what is sent."""
    answers: list[tuple[int, str, str]]
    """Status, its meaning, and the shape of the answer."""


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    calls, shapes = _reference()
    return render(request, "api_docs.html", {"calls": calls, "shapes": shapes})


@cache
def _reference() -> tuple[list[Call], list[Shape]]:
    """Return every call and every shape; the schema is that of the code, so once a process is enough."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    shapes = schema["components"]["schemas"]
    calls = [
        _call(method.upper(), path, operation, shapes)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    return calls, [
        Shape(name, shape.get("description", ""), list(_fields(shape, shapes)))
        for name, shape in shapes.items()
        if shape.get("properties")
    ]


def _call(method: str, path: str, operation: Schema, shapes: Schema) -> Call:
    parameters = [
        _field(
            one["name"], one["schema"], shapes, text=one.get("description", ""), is_required=one.get("required", False)
        )
        for one in operation.get("parameters", [])
    ]
    answers = [
        (int(status), HTTPStatus(int(status)).phrase, _content(answer, shapes))
        for status, answer in sorted(operation["responses"].items())
    ]
    body = _content(operation.get("requestBody", {}), shapes)
    return Call(method, path, operation.get("summary", ""), parameters, body, answers)


def _content(message: Schema, shapes: Schema) -> str:
    """Return the shape of the first kind of content."""
    for media in message.get("content", {}).values():
        return _field("", media.get("schema", {}), shapes).shape
    return ""


def _fields(shape: Schema, shapes: Schema) -> Iterator[Field]:
    required = shape.get("required", [])
    for name, schema in shape["properties"].items():
        yield _field(name, schema, shapes, text=schema.get("description", ""), is_required=name in required)


def _field(name: str, schema: Schema, shapes: Schema, *, text: str = "", is_required: bool = False) -> Field:
    values: list[str] = []
    kinds, shape = [], ""
    for one in _resolved(schema, shapes):
        kinds.append(one["kind"])
        shape = shape or one["shape"]
        values += one["values"]
    return Field(name, " | ".join(dict.fromkeys(kinds)), shape, values, text, is_required)


def _resolved(schema: Schema, shapes: Schema) -> Iterator[dict[str, Any]]:
    """Yield what a value may be: most often one kind, or several that the schema names as alternatives."""
    if alternatives := schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf"):
        for alternative in alternatives:
            yield from _resolved(alternative, shapes)
    elif "$ref" in schema:
        name = schema["$ref"].removeprefix(_PREFIX)
        if shapes[name].get("properties"):
            yield {"kind": name, "shape": name, "values": []}
        else:
            yield from _resolved(shapes[name], shapes)
    elif schema.get("type") == "array":
        for inner in _resolved(schema["items"], shapes):
            yield inner | {"kind": f"list of {inner['kind']}"}
    else:
        values = [str(value) for value in schema.get("enum", []) if value not in {None, ""}]
        yield {"kind": schema.get("format") or schema.get("type", "any"), "shape": "", "values": values}
