"""What others read: the document `toolset.json`, what is wrong with one, and whether two say the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from servicekit.cluster_settings import is_namespace
from toolset.detectors import is_endpoint
from toolset.tools import Found, Json, Tool, Type

KEY = "toolset.json"
"""The key of a ConfigMap that has the document."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with a document: the dotted path of the field (`document` for the whole), and a sentence."""

    field: str
    message: str


def _label(value: str) -> str:
    if not is_namespace(value):
        raise ValueError("it has to be small letters, digits and hyphens, 63 at most, with no hyphen at an end")
    return value


def _url(value: str) -> str:
    if not is_endpoint(value):
        raise ValueError("it has to be as http://host:8080 or https://host")
    return value


Label = Annotated[str, AfterValidator(_label)]


class PublishedTool(BaseModel):
    """One tool, as others are told of it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Label
    type: Type
    endpoint: Annotated[str, AfterValidator(_url)]
    description: str = ""
    namespace: Label
    metadata: dict[str, str] = Field(default_factory=dict)


class Document(BaseModel):
    """All of it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tools: list[PublishedTool]


def document(found: Found) -> Json:
    """Return the document of a discovery: tools that are enabled and healthy, or not checked."""
    return {"tools": [_entry(tool) for tool in found.published()]}


def _entry(tool: Tool) -> Json:
    return {
        "name": tool.name,
        "type": tool.type,
        "endpoint": tool.endpoint,
        "description": tool.description,
        "namespace": tool.namespace,
        "metadata": dict(tool.metadata),
    }


def text(written: Json) -> str:
    """Return the document as it is written."""
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"


def parsed(found: str | None) -> Any:
    """Return what a text says, None where there is none or it is no JSON."""
    try:
        return from_json(found) if found is not None else None
    except ValueError:  # also what is nested so deeply that json.loads would raise a RecursionError
        return None


def same(found: str | None, wanted: Json) -> bool:
    """Tell whether a text says what is wanted; the order of keys and the white space say nothing."""
    said = parsed(found)
    return said is not None and bool(said == wanted)


def problems(said: Any) -> list[FieldProblem]:
    """Return everything that is wrong with a document, in the order of its fields."""
    try:
        Document.model_validate(said)
    except ValidationError as exc:
        return [_problem(error) for error in exc.errors(include_url=False)]
    first: dict[tuple[str, str], int] = {}
    found = []
    for index, tool in enumerate(said["tools"]):
        earlier = first.setdefault((tool["namespace"], tool["name"]), index)
        if earlier != index:
            found.append(FieldProblem(f"tools.{index}.name", f"tools.{earlier} has this namespace and name already"))
    return found


def _problem(error: Any) -> FieldProblem:
    path = ".".join(str(part) for part in error["loc"]) or "document"
    printable = path.encode("utf-8", "backslashreplace").decode()  # a member's name may have half a character
    return FieldProblem(printable, error["msg"].removeprefix("Value error, "))
