"""The stand's own talk with an API server: JSON over HTTPS on connections that are kept open.

Rule 1: nothing is held back on the client's side and nothing is repeated: what the server answers is what is seen.
Rule 2: an answer of 400 or more is an `ApiError` that carries the server's own words; only its status code and reason
        are ever decided by.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

import urllib3

from testinfra.endpoints import Cluster

_CONNECTIONS = 32
MERGE_PATCH = "application/merge-patch+json"
NOT_FOUND, CONFLICT, GONE, TOO_MANY_REQUESTS = 404, 409, 410, 429


class ApiError(Exception):
    """What the server refused: `status` is the HTTP code, `reason` the machine's word for it (`AlreadyExists`, ...)."""

    def __init__(self, status: int, said: Mapping[str, Any], asked: str) -> None:
        self.status = status
        self.reason = str(said.get("reason", ""))
        self.message = str(said.get("message", ""))
        self.details: Mapping[str, Any] = said.get("details") or {}
        super().__init__(f"{asked}: {status} {self.reason}: {self.message}")


@dataclass(frozen=True)
class Answer:
    """One answer of the server."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]


class Rest:
    """A client of one server under one identity. Safe to share between threads."""

    def __init__(self, cluster: Cluster, *, timeout: float = 30.0) -> None:
        """Log in as `cluster` says: its token, else its client certificate; `timeout` in seconds for each request."""
        self._server = cluster.server.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if cluster.token:
            self._headers["Authorization"] = f"Bearer {cluster.token}"
        with_certificate = bool(cluster.cert_file) and not cluster.token
        self._unchecked = not cluster.ca_file
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(total=timeout),
            cert_reqs="CERT_REQUIRED" if cluster.ca_file else "CERT_NONE",
            ca_certs=cluster.ca_file or None,
            cert_file=cluster.cert_file if with_certificate else None,
            key_file=cluster.key_file if with_certificate else None,
        )

    def __repr__(self) -> str:
        return f"<Rest of {self._server}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | list[Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once. Raises `ApiError` for an answer of 400 or more, urllib3's `HTTPError` where there is none."""
        given = {**self._headers, **(headers or {})}
        data = None
        if body is not None:
            given["Content-Type"] = content_type
            data = json.dumps(body).encode()
        url = self._server + path + (f"?{urlencode(query)}" if query else "")
        got = self._ask(method, url, body=data, headers=given)
        said = _decoded(got.data)
        if got.status >= 400:  # noqa: PLR2004 - where HTTP's refusals begin
            raise ApiError(got.status, said, f"{method} {path}")
        return Answer(got.status, got.headers, said)

    def _ask(self, method: str, url: str, **how: Any) -> urllib3.BaseHTTPResponse:
        if self._unchecked:  # as was asked for: urllib3 need not warn of it, which pytest may make an error
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        return self._pool.request(method, url, redirect=False, **how)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Read an object or a list."""
        return self.request("GET", path, query=query).body

    def post(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Create an object."""
        return self.request("POST", path, body, query=query).body

    def put(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Replace an object."""
        return self.request("PUT", path, body, query=query).body

    def patch(
        self, path: str, body: Mapping[str, Any] | list[Any], *, content_type: str = MERGE_PATCH, **query: Any
    ) -> dict[str, Any]:
        """Change parts of an object."""
        return self.request("PATCH", path, body, query=query, content_type=content_type).body

    def delete(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """Ask for an object's (or, on a collection's path, all objects') deletion; done when they are gone."""
        return self.request("DELETE", path, body, query=query).body

    def watch(self, path: str, *, within: float, **query: Any) -> Iterator[dict[str, Any]]:
        """Give watch events (`type`, `object`) until the server ends the stream, after `within` seconds at most."""
        asked = {"watch": "true", "timeoutSeconds": max(1, int(within)), **query}
        got = self._ask(
            "GET",
            f"{self._server}{path}?{urlencode(asked)}",
            headers=self._headers,
            preload_content=False,
            timeout=urllib3.Timeout(connect=within, read=within + 5),
        )
        try:
            if got.status >= 400:  # noqa: PLR2004 - as above
                raise ApiError(got.status, _decoded(got.read()), f"WATCH {path}")
            rest = b""
            for chunk in got.stream(decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
        finally:
            got.close()


def _decoded(data: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else (`ok` of /readyz, a proxy's page) is given as its `message`."""
    try:
        said = json.loads(data)
    except ValueError:
        said = data.decode(errors="replace")
    return said if isinstance(said, dict) else {"message": str(said)}
