"""What failed, by status codes and types of exceptions."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from servicekit import cluster_errors
from servicekit.cluster_errors import ClusterError

KEY = ConnectionKey("localhost", 1, is_ssl=False, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)


@pytest.mark.parametrize(
    ("status", "reason", "repeated"),
    [
        (400, "bad_request", False),
        (401, "unauthorized", False),
        (403, "forbidden", False),
        (404, "not_found", False),
        (409, "conflict", False),
        (410, "gone", False),
        (422, "invalid", False),
        (429, "too_many_requests", True),
        (500, "http_error", False),
        (502, "http_error", False),
        (503, "unavailable", True),
        (504, "gateway_timeout", True),
        (418, "http_error", False),
        (599, "http_error", False),
    ],
)
def test_statuses(status: int, reason: str, repeated: bool) -> None:
    """Each has its word, and three are repeated."""
    failure = cluster_errors.from_answer(status, {}, {})
    assert (failure.reason, failure.code, failure.repeated) == (reason, str(status), repeated)


@pytest.mark.parametrize(
    ("exc", "reason", "repeated"),
    [
        (TimeoutError(), "timeout", True),
        (aiohttp.ServerTimeoutError(), "timeout", True),
        (aiohttp.SocketTimeoutError(), "timeout", True),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError()), "refused", True),
        (aiohttp.ClientConnectorError(KEY, ConnectionResetError()), "reset", True),
        (ConnectionResetError(), "reset", True),
        (BrokenPipeError(), "reset", True),
        (aiohttp.ClientConnectionResetError(), "reset", True),
        (aiohttp.ServerDisconnectedError(), "reset", True),
        (aiohttp.ClientPayloadError(), "reset", True),
        (aiohttp.ClientConnectorError(KEY, OSError(113, "no route")), "connection", False),
        (aiohttp.ClientConnectorDNSError(KEY, OSError()), "connection", False),
        (aiohttp.InvalidURL("x"), "connection", False),
        (aiohttp.ClientConnectorSSLError(KEY, OSError()), "tls", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_exceptions(exc: BaseException, reason: str, repeated: bool) -> None:
    """Timeouts, refused and reset are repeated; a wrong certificate, a wrong name and no route are not."""
    failure = cluster_errors.from_exception(exc)
    assert (failure.reason, failure.code, failure.repeated) == (reason, "none", repeated)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1.0), ("0", 0.0), ("30", 30.0), ("", None), ("soon", None), ("-1", None), ("9" * 12, None)],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds; a date, which no API server sends, is none."""
    assert cluster_errors.from_answer(429, {"Retry-After": text}, {}).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "details", "without"),
    [
        (404, {"kind": "namespaces", "name": "x"}, True),
        (404, {"kind": "remediationrequests"}, False),
        (404, {}, False),
        (404, None, False),
        (403, {"causes": [{"reason": "NamespaceTerminating"}]}, True),
        (403, {"causes": [{"reason": "Other"}]}, False),
        (403, {"causes": None}, False),
        (403, {"kind": "namespaces"}, False),
    ],
)
def test_a_namespace_that_is_not_there(status: int, details: Any, without: bool) -> None:
    """Told by the details of the Status, never by its message."""
    said = {"message": 'namespaces "x" not found', "details": details}
    assert cluster_errors.from_answer(status, {}, said).without_namespace is without


@pytest.mark.parametrize("said", [None, [], "text", 7, {"details": "text"}])
def test_an_answer_that_is_no_status(said: Any) -> None:
    """A proxy's page instead of a Status object is a failure like any other."""
    failure = cluster_errors.from_answer(404, {}, said)
    assert (failure.reason, failure.without_namespace) == ("not_found", False)


@pytest.mark.parametrize(("status", "for_good"), [(400, True), (422, True), (403, False), (404, False), (500, False)])
def test_what_no_repetition_will_heal(status: int, for_good: bool) -> None:
    """An object that was refused for what it is."""
    assert cluster_errors.from_answer(status, {}, {}).refused_for_good is for_good


def test_the_words_say_what_happened() -> None:
    """Reason, status and the server's own message."""
    assert str(ClusterError("forbidden", status=403, said={"message": "no"})) == "Kubernetes: forbidden (403): no"
    assert str(ClusterError("timeout")) == "Kubernetes: timeout"
