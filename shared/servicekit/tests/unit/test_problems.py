"""Every error has one form."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/items/1/", {}, 404),
        ("DELETE", "/items", {}, 405),
        ("POST", "/items", {"json": {}}, 400),
        ("GET", "/items/x", {}, 400),
        ("POST", "/items", {"content": b"{", "headers": JSON}, 400),
        ("POST", "/items", {"content": b"{}"}, 415),
        ("POST", "/items", {"content": b"x" * 1001, "headers": JSON}, 413),
        ("POST", "/items", {"content": (b"x" * 600 for _ in range(2)), "headers": JSON}, 413),
        ("GET", "/items", {}, 500),
    ],
)
def test_every_error_is_a_problem(
    client: httpx.Client, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    """Media type, type, title, status, detail, instance and request_id are there, whoever noticed the error."""
    answer = client.request(method, path, **sent)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    body = answer.json()
    assert (body["status"], body["instance"]) == (status, path)
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["type"] == ("urn:problem-type:validation-error" if status == 400 else "about:blank")
    assert body["title"]
    assert body["detail"]
    assert ("field_errors" in body) == (status == 400)


def test_a_wrong_method_is_answered_with_all_methods_of_the_path(client: httpx.Client) -> None:
    """GET and POST are two routes of one path; `Allow` has both."""
    assert client.delete("/items").headers["Allow"] == "GET, POST"


def test_a_wrong_content_type_is_answered_with_what_is_taken(client: httpx.Client) -> None:
    """415 carries `Accept`."""
    answer = client.post("/items", content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.headers["Accept"] == "application/json"


def test_all_wrong_fields_are_told_and_passed_on(client: httpx.Client, demo: Any) -> None:
    """`field_errors` has every field; the service's own hook sees each with its reason."""
    answer = client.post("/items", json={"size": "many"})
    assert set(answer.json()["field_errors"]) == {"name", "size"}
    assert demo.field_errors == [("name", "missing"), ("size", "int_parsing")]


def test_an_internal_error_is_told_to_the_log_alone(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """The answer has nothing of the exception; the log has its traceback and the request's id."""
    answer = client.get("/items", headers={"X-Request-ID": "find-me"})
    assert "hush" not in answer.text
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert isinstance(record.msg, dict)
    assert record.msg["request_id"] == "find-me"
    assert record.exc_info is not None or "exc_info" in record.msg
