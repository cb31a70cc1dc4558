"""What a request to Kubernetes failed with, and what follows from it.

Rule 1: decided from status codes, exception types and the machine-readable parts of a Status, never from text.
Rule 2: repeated are 429, 503, 504, timeouts, refused and reset connections; nothing else.
Rule 3: `reason` is one of few words: it is a label of metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

_BY_STATUS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.GONE: "gone",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.GATEWAY_TIMEOUT: "gateway_timeout",
}
_REPEATED = frozenset({"too_many_requests", "unavailable", "gateway_timeout", "timeout", "refused", "reset"})
_OF_THE_REQUEST = frozenset({"bad_request", "invalid"})


class ClusterError(Exception):
    """One request to Kubernetes failed."""

    def __init__(
        self, reason: str, *, status: int = 0, said: Mapping[str, Any] | None = None, retry_after: float | None = None
    ) -> None:
        """Take the word for it, the HTTP status (0: there was no answer), the Status object and Retry-After."""
        self.reason = reason
        self.status = status
        self.said: Mapping[str, Any] = said or {}
        self.retry_after = retry_after
        message = str(self.said.get("message", ""))
        super().__init__(f"Kubernetes: {reason}" + (f" ({status}): {message}" if status else ""))

    @property
    def code(self) -> str:
        """The HTTP status as a label, `none` where there was no answer."""
        return str(self.status) if self.status else "none"

    @property
    def repeated(self) -> bool:
        """Whether another attempt may succeed soon."""
        return self.reason in _REPEATED

    @property
    def refused_for_good(self) -> bool:
        """Whether the object itself was refused: no repetition will ever succeed."""
        return self.reason in _OF_THE_REQUEST

    @property
    def without_namespace(self) -> bool:
        """Whether it failed because the namespace does not exist, or is being deleted."""
        details = self.said.get("details")
        if not isinstance(details, Mapping):
            return False
        if self.status == HTTPStatus.NOT_FOUND:
            return details.get("kind") == "namespaces"
        causes = details.get("causes") or ()
        return any(isinstance(cause, Mapping) and cause.get("reason") == "NamespaceTerminating" for cause in causes)


def from_answer(status: int, headers: Mapping[str, str], said: object) -> ClusterError:
    """Return the failure that an answer of 400 or more is."""
    return ClusterError(
        _BY_STATUS.get(status, "http_error"),
        status=status,
        said=said if isinstance(said, Mapping) else {},
        retry_after=_seconds(headers.get("Retry-After", "")),
    )


def from_exception(exc: BaseException) -> ClusterError:
    """Return the failure that an exception of the HTTP client is."""
    return ClusterError(_word(exc))


def _word(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):  # aiohttp's are of this type too
        return "timeout"
    if isinstance(exc, aiohttp.ClientSSLError):
        return "tls"
    cause = exc.os_error if isinstance(exc, aiohttp.ClientConnectorError) else exc
    if isinstance(cause, ConnectionRefusedError):
        return "refused"
    lost = ConnectionResetError, ConnectionAbortedError, BrokenPipeError
    if isinstance(cause, (*lost, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)):
        return "reset"
    if isinstance(cause, aiohttp.ClientOSError) and isinstance(cause.__cause__, lost):
        return "reset"
    return "connection"


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - longer is no pause
