"""Who asks: by client certificate, bearer token or nobody, and whom he asks in the name of.

Rule 1: a token wins over a certificate; one that is not known is refused, though a certificate is there.
Rule 2: impersonation is a right of its own (`impersonate` on users, groups, uids, extras), asked for each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from testinfra.kubernetes.fake import rbac
from testinfra.kubernetes.fake.auth import ANONYMOUS, User
from testinfra.kubernetes.fake.http import Request
from testinfra.kubernetes.fake.status_errors import Refused, bad_request, unauthorized
from testinfra.kubernetes.fake.world import World

_AUTHENTICATED = "system:authenticated"
_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"


def of(request: Request, world: World) -> User:
    """Tell who asks. Raises `Refused` (401; 403 for an impersonation)."""
    user = _logged_in(request, world)
    if any(name.startswith("impersonate-") for name in request.headers):
        return _impersonated(request, world, user)
    return user


def _logged_in(request: Request, world: World) -> User:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        user = world.authenticator.bearer(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise unauthorized()
        return user
    if request.peer:
        subject: dict[str, list[str]] = {}
        for name, value in (pair for part in request.peer.get("subject", ()) for pair in part):
            subject.setdefault(name, []).append(value)
        return world.authenticator.certificate(subject["commonName"][0], subject.get("organizationName", ()))
    return ANONYMOUS


def _impersonated(request: Request, world: World, user: User) -> User:
    name = request.headers.get("impersonate-user", "")
    if not name:
        raise bad_request("requested impersonation without impersonating a user")
    groups = [one for one in request.headers.get("impersonate-group", "").split("\n") if one]
    extra = {
        unquote(header.removeprefix(_EXTRA)): tuple(value.split("\n"))
        for header, value in request.headers.items()
        if header.startswith(_EXTRA)
    }
    for group, resource, subresource, wanted, namespace in _parts(name, groups, extra):
        asked = rbac.Attributes(
            user=user,
            verb="impersonate",
            group=group,
            version="v1",
            resource=resource,
            subresource=subresource,
            namespace=namespace,
            name=wanted,
        )
        if not world.authorizer.allowed(asked):
            raise Refused(rbac.forbidden(asked))
    if name.startswith(_ACCOUNT) and not groups:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
    if name != ANONYMOUS.name:
        groups += [] if _AUTHENTICATED in groups else [_AUTHENTICATED]
    return User(name=name, groups=tuple(groups), uid=request.headers.get("impersonate-uid", ""), extra=extra)


def _parts(name: str, groups: list[str], extra: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, str, str, str, str]]:
    """Give group, resource, subresource, name and namespace of each right that is needed."""
    if name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        yield "", "serviceaccounts", "", account, namespace
    else:
        yield "", "users", "", name, ""
    for group in groups:
        yield "", "groups", "", group, ""
    for key, values in extra.items():
        for value in values:
            yield "authentication.k8s.io", "userextras", key, value, ""
