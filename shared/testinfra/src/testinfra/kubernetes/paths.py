"""What a request asks for, read from its method and path: verb, resource, namespace, name, subresource.

Rule 1: the reading is that of `k8s.io/apiserver/pkg/endpoints/request.RequestInfoFactory`: authorization and the audit
        log see what is asked before anybody looks whether such a resource is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
_OF_A_NAMESPACE = ("status", "finalize")
"""What stands behind a namespace's name and is no resource in it."""
COLLECTION_VERBS = ("list", "watch", "deletecollection")
_BY_NAME = "metadata.name="
_TRUE = ("1", "t", "T", "true", "TRUE", "True")


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for. `resource` is "" where the path is no resource's; `verb` is then the method in lower case."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def is_true(text: str) -> bool:
    """Read a boolean of a query."""
    return text in _TRUE


def read(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Read method, path and query."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:  # noqa: PLR2004 - /api/v1/<resource>
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:  # noqa: PLR2004 - /apis/<group>/<version>/<resource>
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(method.lower(), path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_A_NAMESPACE:  # noqa: PLR2004 - namespaces/<name>/<resource>
            rest = rest[2:]
    resource, name, subresource, *_ = [*rest, "", "", ""]
    verb = _VERBS.get(method, method.lower())
    if not name:
        watch = is_true(query.get("watch", ""))
        verb = {"get": "watch" if watch else "list", "delete": "deletecollection"}.get(verb, verb)
    return Target(verb, path, group, version, resource, namespace, name, "/".join(rest[2:]) or subresource)


def selected_name(target: Target, query: Mapping[str, str]) -> str:
    """Give the name that a right has to be for: the object's, or of a collection the one that alone is selected."""
    if target.name or target.verb not in COLLECTION_VERBS:
        return target.name
    terms = query.get("fieldSelector", "").split(",")
    return next((term[len(_BY_NAME) :].lstrip("=") for term in terms if term.startswith(_BY_NAME)), "")
