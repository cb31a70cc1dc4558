"""A truthful OpenAPI document: problems with their media type, on every operation that can answer with them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from servicekit.problems import MEDIA_TYPE, Problem

_REFERENCE = {"$ref": "#/components/schemas/Problem"}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's `responses=` takes, for these statuses as problems."""
    return {status: _response(status) for status in statuses}


def _response(status: int) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"headers": {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}}
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        headers = {"headers": {"Accept": {"description": "What is taken", "schema": {"type": "string"}}}}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _REFERENCE}}, **headers}


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the shared answers added, and FastAPI's 422, which is never given, taken out."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for operation in (each for path in document["paths"].values() for each in path.values()):
        statuses = {500}
        if "requestBody" in operation:
            statuses |= {400, 413, 415}
        if operation.get("parameters"):
            statuses |= {400}
        responses = operation["responses"]
        responses.pop("422", None)
        for status in sorted(statuses):
            responses.setdefault(str(status), _response(status))
    return document
