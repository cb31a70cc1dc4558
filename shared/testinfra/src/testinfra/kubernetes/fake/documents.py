"""What is served beside resources: health, version, discovery, OpenAPI.

Rule 1: documents that the kinds alone decide are made once for each state of the kinds.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from testinfra.kubernetes.fake import builtin, discovery, openapi
from testinfra.kubernetes.fake.http import JSON, Request, Response
from testinfra.kubernetes.fake.kinds import Kinds
from testinfra.kubernetes.fake.store import Object, encode

TEXT = "text/plain; charset=utf-8"
HEALTH = ("/healthz", "/livez", "/readyz")


class Documents:
    """Gives documents by their address."""

    def __init__(self, kinds: Kinds, address: str) -> None:
        """Tell of `kinds`; `address` is the host and port that discovery names."""
        self._kinds = kinds
        self._address = address
        self._made: dict[tuple[str, str], Response] = {}
        self._revision = -1

    def get(self, request: Request) -> Response | None:
        """Give the document at the request's path, or None."""
        path = request.path.rstrip("/") or "/"
        if path.startswith(HEALTH):
            return _health(path, request)
        if self._revision != self._kinds.revision:
            self._made.clear()
            self._revision = self._kinds.revision
        accept = request.headers.get("accept", "")
        key = (path, accept)
        made = self._made.get(key) or self._make(path, accept)
        if made is None:
            return None
        self._made[key] = made
        known = request.headers.get("if-none-match", "?") == dict(made.headers)["ETag"]
        return replace(made, code=304 if known else 200, body=b"" if known else made.body, headers=list(made.headers))

    def _make(self, path: str, accept: str) -> Response | None:
        version = discovery.wants_aggregated(accept)
        if path in ("/api", "/apis") and version:
            body = discovery.aggregated(self._kinds, core=path == "/api", version=version)
            return _document(body, discovery.content_type(version))
        found = self._found(path)
        return _document(found) if found is not None else None

    def _found(self, path: str) -> Object | None:
        found: Object | None = None
        match path.strip("/").split("/"):
            case [""]:
                found = self._root()
            case ["version"]:
                found = _version()
            case ["api"]:
                found = discovery.legacy_versions(self._address)
            case ["apis"]:
                found = discovery.group_list(self._kinds)
            case ["api", version]:
                found = discovery.resource_list(self._kinds, "", version)
            case ["apis", group]:
                found = discovery.group(self._kinds, group)
            case ["apis", group, version]:
                found = discovery.resource_list(self._kinds, group, version)
            case ["openapi", "v3"]:
                found = openapi.index(self._kinds)
            case ["openapi", "v3", *key]:
                found = openapi.document(self._kinds, "/".join(key))
        return found

    def _root(self) -> Object:
        versions = [
            f"/apis/{group}/{one}" for group in self._kinds.groups() if group for one in self._kinds.versions(group)
        ]
        groups = [f"/apis/{group}" for group in self._kinds.groups() if group]
        return {
            "paths": [
                "/api",
                "/api/v1",
                "/apis",
                *sorted(groups + versions),
                *HEALTH,
                "/openapi/v2",
                "/openapi/v3",
                "/version",
            ]
        }


def _document(body: Object, content_type: str = JSON) -> Response:
    data = encode(body)
    tag = hashlib.sha256(data).hexdigest()[:32].upper()
    return Response(200, data, content_type, [("ETag", f'"{tag}"'), ("Vary", "Accept")])


def _health(path: str, request: Request) -> Response:
    if "verbose" not in request.query:
        return Response(200, b"ok", TEXT)
    what = path.strip("/").partition("/")[0]
    return Response(200, f"[+]ping ok\n{what} check passed\n".encode(), TEXT)


def _version() -> Object:
    told = builtin.version()
    return {
        **told,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    }
