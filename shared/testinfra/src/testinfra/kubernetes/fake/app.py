"""From a request to its answer: who asks, whether they may, which verb, how the answer is to look.

Rule 1: the order is the server's: 401, then 403, then whether there is such a resource, then the verb.
Rule 2: what controllers do about a request is done after its answer is made and before the next request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from testinfra.kubernetes.fake import bodies, creating, deleting, identity, rbac, reading, reviews, special, updating
from testinfra.kubernetes.fake.audit import AuditLog, Entry
from testinfra.kubernetes.fake.auth import User
from testinfra.kubernetes.fake.bodies import JSON, YAML
from testinfra.kubernetes.fake.call import Answer, Call
from testinfra.kubernetes.fake.documents import TEXT, Documents
from testinfra.kubernetes.fake.http import Request, Response
from testinfra.kubernetes.fake.looks import look
from testinfra.kubernetes.fake.negotiation import Accept, agree, as_yaml
from testinfra.kubernetes.fake.queries import write_options
from testinfra.kubernetes.fake.status_errors import (
    INTERNAL,
    Refused,
    no_such_resource,
    not_allowed,
    not_found,
    refused,
)
from testinfra.kubernetes.fake.store import encode
from testinfra.kubernetes.fake.traits import NAMESPACES
from testinfra.kubernetes.fake.watch import Watch
from testinfra.kubernetes.fake.world import World
from testinfra.kubernetes.paths import COLLECTION_VERBS, Target, read, selected_name

_LOGGER = logging.getLogger("testinfra.fake")
_OF_OBJECTS = ("get", "update", "patch", "delete")
_ONLY_CREATED = ("authentication.k8s.io", "authorization.k8s.io")

Verb = Callable[[Call], Answer]
_VERBS: Mapping[str, Verb] = {
    "create": creating.create,
    "get": reading.get,
    "update": updating.update,
    "patch": updating.patch,
    "delete": deleting.delete,
}
_SUBRESOURCES: Mapping[tuple[str, str], Verb] = {
    ("scale", "get"): updating.get_scale,
    ("scale", "update"): updating.update_scale,
    ("scale", "patch"): updating.update_scale,
}


class App:
    """Answers requests on one world."""

    def __init__(self, world: World, documents: Documents, log: AuditLog | None) -> None:
        """Answer from `world`; write to `log` where there is one."""
        self._world = world
        self._documents = documents
        self._log = log

    def __call__(self, request: Request) -> Response | Watch:
        """Answer one request; see `http.Handler`."""
        target = read(request.method, request.path, request.query)
        entry: Entry | None = None
        try:
            user = identity.of(request, self._world)
            entry = Entry(self._log, request, target, user) if self._log else None
            answer = self._answer(request, target, user)
        except Refused as exc:
            if self._log and entry is None:
                entry = Entry(self._log, request, target, None)
            answer = _refusal(exc)
        except Exception as exc:  # a bug of ours: who asked is told, and the server lives on
            _LOGGER.exception("%s %s", request.method, request.target)
            answer = _refusal(refused(INTERNAL, "InternalError", f"the fake has a bug: {exc!r}"))
        if isinstance(answer, Response):
            answer = _in_form(request, answer)
        head = answer if isinstance(answer, Response) else answer.head
        if entry:
            head.headers.append(("Audit-Id", entry.id))
            if isinstance(answer, Watch):
                answer.on_close = lambda: entry.complete(head.code)
            else:
                entry.complete(head.code, head.about)
        return answer

    def _answer(self, request: Request, target: Target, user: User) -> Response | Watch:
        asked = rbac.Attributes(
            user=user,
            verb=target.verb,
            group=target.group,
            version=target.version,
            resource=target.resource,
            subresource=target.subresource,
            namespace=target.namespace,
            name=selected_name(target, request.query),
            path=target.path,
        )
        if not self._world.authorizer.allowed(asked):
            raise Refused(rbac.forbidden(asked))
        kind = self._world.kinds.find(target.group, target.version, target.resource) if target.resource else None
        if kind is None:
            return self._document(request, target)
        call = Call(
            world=self._world,
            kind=kind,
            target=target,
            query=request.query,
            body=request.body,
            content_type=request.headers.get("content-type", ""),
            user=user,
        )
        try:
            return self._on_resource(call, agree(request.headers.get("accept", "")))
        except Refused as exc:
            refusal = _refusal(exc)
            refusal.headers += _warnings(call)
            return refusal
        finally:
            self._world.settle()

    def _document(self, request: Request, target: Target) -> Response:
        if not target.resource:
            found = self._documents.get(request)
            if found and request.method in ("GET", "HEAD"):
                return found
            if found:
                raise not_allowed()
        elif any(not kind.crd for kind in self._world.kinds.in_version(target.group, target.version)):
            raise no_such_resource()
        return _no_page()

    def _on_resource(self, call: Call, accept: Accept) -> Response | Watch:
        kind, target = call.kind, call.target
        if kind.namespaced and not call.namespace and target.verb not in ("list", "watch"):
            raise not_allowed() if not target.name else no_such_resource()
        if not kind.namespaced and "/namespaces/" in target.path and call.resource != NAMESPACES:
            if kind.crd:
                return _no_page()
            raise no_such_resource()
        if target.subresource:
            return self._on_subresource(call, accept)
        if target.verb not in kind.verbs or bool(target.name) != (target.verb in _OF_OBJECTS):
            raise not_allowed()
        if kind.group in _ONLY_CREATED:
            return self._review(call)
        if target.verb in COLLECTION_VERBS:
            shape = look(self._world, kind, accept, call.query.get("includeObject", ""))
            if target.verb == "watch":
                return reading.watch(call, shape.one, shape.key)
            listed = reading.list_objects(call) if target.verb == "list" else reading.delete_collection(call)
            return Response(200, shape.many(listed), headers=_warnings(call))
        return self._one(call, accept, _VERBS[target.verb](call))

    def _on_subresource(self, call: Call, accept: Accept) -> Response:
        kind, target = call.kind, call.target
        subresource = kind.subresources.get(target.subresource)
        if subresource is None:
            raise not_found(kind, target.name) if kind.crd else no_such_resource()
        if target.verb not in subresource.verbs:
            raise not_allowed()
        own = _SUBRESOURCES.get((target.subresource, target.verb)) or special.VERBS.get((*kind.key, target.subresource))
        return self._one(call, accept, (own or _VERBS[target.verb])(call))

    def _review(self, call: Call) -> Response:
        review = bodies.object_of(call.body, call.content_type, call.kind)
        creating.decode(call, review, write_options(call.query, "CreateOptions"))
        answer = reviews.answer(
            review,
            user=call.user,
            authenticator=self._world.authenticator,
            authorizer=self._world.authorizer,
            namespace=call.namespace,
        )
        return Response(201, encode(answer), headers=_warnings(call))

    def _one(self, call: Call, accept: Accept, answer: Answer) -> Response:
        if answer.stored is None:
            return Response(answer.code, encode(answer.document), headers=_warnings(call))
        shape = look(self._world, call.kind, accept, call.query.get("includeObject", ""))
        about = str(answer.stored.content.get("metadata", {}).get("name", ""))
        return Response(answer.code, shape.one(answer.stored), headers=_warnings(call), about=about)


def _no_page() -> Response:
    return Response(404, b"404 page not found\n", TEXT)


def _in_form(request: Request, answer: Response) -> Response:
    """Give the answer in YAML, where that was asked for."""
    if "yaml" not in request.headers.get("accept", "") or answer.content_type != JSON:
        return answer
    try:
        return as_yaml(answer) if agree(request.headers["accept"]).media_type == YAML else answer
    except Refused:  # what there is no form for is told in JSON
        return answer


def _refusal(refusal: Refused) -> Response:
    details = refusal.status.get("details") or {}
    after = details.get("retryAfterSeconds")
    headers = [("Retry-After", str(after))] if after else []
    return Response(refusal.code, encode(refusal.status), headers=headers, about=str(details.get("name") or ""))


def _warnings(call: Call) -> list[tuple[str, str]]:
    return [("Warning", f'299 - "{_quoted(text)}"') for text in call.warnings]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
