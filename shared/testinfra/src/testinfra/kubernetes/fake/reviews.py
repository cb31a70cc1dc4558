"""Reviews: objects that are never stored, only answered: who is this token, who am I, may he, may I, what may I.

Rule 1: a review decides with the same authenticator and authorizer as a request does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testinfra.kubernetes.fake.auth import Authenticator, User
from testinfra.kubernetes.fake.causes import Cause, invalid, shown
from testinfra.kubernetes.fake.rbac import Attributes, Authorizer
from testinfra.kubernetes.fake.status_errors import Refused, bad_request

_AUTHORIZATION = "authorization.k8s.io"


def answer(
    review: Mapping[str, Any],
    *,
    user: User,
    authenticator: Authenticator,
    authorizer: Authorizer,
    namespace: str = "",
) -> dict[str, Any]:
    """Give a review with its `status`. `user` asks; `namespace` is the address's. Raises `Refused` (400, 422)."""
    kind, spec = review["kind"], review.get("spec") or {}
    if kind == "TokenReview":
        status = _token(spec, authenticator)
    elif kind == "SelfSubjectReview":
        status = {"userInfo": _told(user)}
    elif kind == "SelfSubjectRulesReview":
        status = _rules(spec, user, authorizer)
    elif kind == "SelfSubjectAccessReview":
        _check(spec, ())
        status = _access(spec, user, authorizer)
    else:
        _check(spec, () if spec.get("user") or spec.get("groups") else (_nobody(),))
        if kind == "LocalSubjectAccessReview":
            _check_place(spec, namespace)
        status = _access(spec, _subject(spec), authorizer)
    return {**review, "status": status}


def _told(user: User) -> dict[str, Any]:
    found = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    return {key: value for key, value in found.items() if value}


def _token(spec: Mapping[str, Any], authenticator: Authenticator) -> dict[str, Any]:
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    user, audiences, wrong = authenticator.review(spec["token"], spec.get("audiences") or ())
    if user is None:
        return {"user": {}, "error": wrong}
    return {"authenticated": True, "user": _told(user), "audiences": audiences}


def _rules(spec: Mapping[str, Any], user: User, authorizer: Authorizer) -> dict[str, Any]:
    if not spec.get("namespace"):
        raise bad_request("no namespace on request")
    found = authorizer.rules(user, spec["namespace"])
    return {
        "resourceRules": [rule for rule in found if not rule.get("nonResourceURLs")],
        "nonResourceRules": [rule for rule in found if rule.get("nonResourceURLs")],
        "incomplete": False,
    }


def _subject(spec: Mapping[str, Any]) -> User:
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(
        name=spec.get("user") or "", groups=tuple(spec.get("groups") or ()), uid=spec.get("uid") or "", extra=extra
    )


def _access(spec: Mapping[str, Any], user: User, authorizer: Authorizer) -> dict[str, Any]:
    path, of = spec.get("nonResourceAttributes"), spec.get("resourceAttributes") or {}
    if path is not None:
        asked = Attributes(user=user, verb=path.get("verb", ""), path=path.get("path", ""))
    else:
        names = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
        asked = Attributes(user=user, **{name: of.get(name) or "" for name in names})
    allowed, why = authorizer.decide(asked)
    return {"allowed": allowed} | ({"reason": why} if why else {})


def _nobody() -> Cause:
    return Cause("FieldValueInvalid", 'Invalid value: "": at least one of user or group must be specified', "spec.user")


def _check(spec: Mapping[str, Any], more: tuple[Cause, ...]) -> None:
    causes = list(more)
    path = spec.get("nonResourceAttributes")
    if spec.get("resourceAttributes") is None and path is None:
        told = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.insert(0, Cause("FieldValueInvalid", told, "spec.resourceAttributes"))
    elif spec.get("resourceAttributes") is not None and path is not None:
        value = shown({"Path": path.get("path", ""), "Verb": path.get("verb", "")})
        told = f"Invalid value: {value}: cannot be specified in combination with resourceAttributes"
        causes.insert(0, Cause("FieldValueInvalid", told, "spec.nonResourceAttributes"))
    if causes:
        raise _refused(causes)


def _check_place(spec: Mapping[str, Any], namespace: str) -> None:
    asked = (spec.get("resourceAttributes") or {}).get("namespace") or ""
    if asked != namespace:
        told = f"Invalid value: {shown(asked)}: must match metadata.namespace"
        raise _refused([Cause("FieldValueInvalid", told, "spec.resourceAttributes.namespace")])


def _refused(causes: list[Cause]) -> Refused:
    """The server's 422 names no kind here."""
    status = invalid(_AUTHORIZATION, "", "", causes)
    status["details"] = {key: value for key, value in status["details"].items() if value}
    return Refused(status)
