"""Errors of the service as a whole, and the OpenAPI document that announces them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
JSON = {"Content-Type": "application/json"}


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the body, after checking what every problem has."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["instance"] == answer.request.url.path
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert all(body[name] for name in ("type", "title", "detail"))
    return body


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", PATH, "GET, POST"),
        ("GET", f"{PATH}/search", "POST"),
        ("PUT", f"{PATH}/1", "GET"),
        ("POST", "/livez", "GET"),
    ],
)
def test_a_wrong_method_is_told_all_that_are_right(client: httpx.Client, method: str, path: str, allow: str) -> None:
    """405 lists in `Allow` the methods of all routes of the path; `search` is no id."""
    answer = client.request(method, path)
    _problem(answer, 405)
    assert answer.headers["Allow"] == allow


def test_an_unknown_route_is_404(client: httpx.Client) -> None:
    """A path that is none, also with a slash too many, is a problem and no redirect."""
    for path in ("/nope", f"{PATH}/", "/"):
        _problem(client.get(path), 404)


@pytest.mark.parametrize("sent", [None, "text/plain", "application/xml", "application/json; charset=latin-1", ";"])
def test_another_content_type_is_415(client: httpx.Client, record: Record, sent: str | None) -> None:
    """A body that is not declared as JSON in UTF-8 is refused with what would be accepted."""
    body = client.build_request("POST", PATH, json=record()).content
    answer = client.post(PATH, content=body, headers={"Content-Type": sent} if sent else {})
    _problem(answer, 415)
    assert answer.headers["Accept"] == "application/json"


def test_json_with_a_charset_is_taken(client: httpx.Client, record: Record) -> None:
    """`application/json; charset=UTF-8` is JSON."""
    body = client.build_request("POST", PATH, json=record()).content
    assert client.post(PATH, content=body, headers={"Content-Type": "application/json; charset=UTF-8"}).is_success


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'"text"', b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"duration": ' + b"9" * 5000],
    ids=["empty", "broken", "text", "array", "null", "no UTF-8", "deep", "long number"],
)
def test_a_body_that_is_no_record_is_400(client: httpx.Client, body: bytes) -> None:
    """Empty, broken, deeply nested or otherwise unreadable JSON is the client's error, never the server's."""
    _problem(client.post(PATH, content=body, headers=JSON), 400)


def test_a_body_over_the_limit_is_413(client: httpx.Client) -> None:
    """One byte too many is refused, with its length announced or in chunks."""
    limit = 1_048_576
    _problem(client.post(PATH, content=b" " * (limit + 1), headers=JSON), 413)
    _problem(client.post(PATH, content=(b" " * 65_536 for _ in range(17)), headers=JSON), 413)
    _problem(client.post(PATH, content=b" " * limit, headers=JSON), 400)


def test_an_internal_error_shows_nothing_of_itself(
    client: httpx.Client, record: Record, db: psycopg.Connection[Any]
) -> None:
    """When the table is not what the code expects, the answer is a plain 500 with the id to look for in the log."""
    db.execute("ALTER TABLE remediation_audit RENAME COLUMN severity TO seriousness")
    answer = client.post(PATH, json=record(), headers={"X-Request-ID": "look-for-me"})
    assert _problem(answer, 500)["request_id"] == "look-for-me"
    assert not re.search(r"severity|psycopg|Traceback|\.py", answer.text)


def test_the_openapi_document_says_what_is_answered(client: httpx.Client) -> None:
    """Every operation lists its statuses; every error is a problem; FastAPI's 422 and its schemas are not there."""
    document = client.get("/openapi.json").json()
    statuses = {
        f"{method.upper()} {path}": " ".join(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    written, read = "409 503 400 413 415 500", "200 503 400 500"
    assert statuses == {
        "GET /livez": "200 500",
        "GET /readyz": "200 503 500",
        "GET /metrics": "200 500",
        f"GET {PATH}": read,
        f"POST {PATH}": f"201 202 {written}",
        f"POST {PATH}/search": "200 503 400 413 415 500",
        f"GET {PATH}/{{id}}": "200 404 503 400 500",
        "GET /api/v1/audit/notifications": read,
        "POST /api/v1/audit/notifications": f"201 202 {written}",
        "GET /api/v1/audit/events": read,
        "POST /api/v1/audit/events": f"201 202 {written}",
        "POST /api/v1/audit/events/batch": f"201 202 {written}",
        "POST /api/v1/action-traces": f"201 202 {written}",
        "GET /api/v1/incidents": read,
        "GET /api/v1/incidents/{id}": "200 404 503 400 500",
        "GET /api/v1/success-rate/incident-type": read,
        "GET /api/v1/success-rate/playbook": read,
        "GET /api/v1/success-rate/multi-dimensional": read,
        "GET /api/v1/aggregate/by-namespace": "200 503 500",
        "GET /api/v1/aggregate/by-severity": "200 503 500",
        "GET /api/v1/aggregate/trend": read,
    }
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()
    references = set(re.findall(r"#/components/schemas/(\w+)", client.get("/openapi.json").text))
    assert references <= document["components"]["schemas"].keys()
