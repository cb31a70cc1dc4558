"""Accounts and their rights, for the facts about who may do what."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from shared.testinfra.tests.contract.kubernetes.room import Object, Room
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest
from testinfra.servers.ready import wait_until

RBAC = "rbac.authorization.k8s.io"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"


def rule(resource: str, *verbs: str, group: str = "", **more: list[str]) -> Object:
    """One rule of a role."""
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), **more}


def user_of(room: Room, account: str) -> str:
    """The user name that an account's token stands for."""
    return f"system:serviceaccount:{room.name}:{account}"


def grant(room: Room, account: str, *rules: Object, name: str = "") -> None:
    """Give the account a role of these rules in the room."""
    name = name or account
    room.create("roles", {"metadata": {"name": name}, "rules": list(rules)})
    bind(room, account, "Role", name)


def bind(room: Room, account: str, kind: str, role: str) -> None:
    """Bind the account to a role in the room."""
    room.create(
        "rolebindings",
        {
            "metadata": {"name": f"{account}-{role}"},
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": room.name}],
        },
    )


def token_of(room: Room, account: str, **spec: Any) -> Object:
    """Ask for a token; gives the status of the TokenRequest."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return dict(room.rest.post(room.path("serviceaccounts", account, "token"), body)["status"])


def review_token(rest: Rest, token: str, *audiences: str) -> Object:
    """Give the status of a TokenReview."""
    spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    return dict(rest.post(f"{AUTHENTICATION}/tokenreviews", body)["status"])


def may(rest: Rest, user: str, verb: str, resource: str, **attributes: str) -> bool:
    """What a SubjectAccessReview of that user says."""
    spec = {"user": user, "resourceAttributes": {"verb": verb, "resource": resource, **attributes}}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(rest.post(f"{AUTHORIZATION}/subjectaccessreviews", body)["status"]["allowed"])


def await_right(room: Room, account: str, verb: str, resource: str, *, there: bool = True, **attributes: str) -> None:
    """Wait until the authorizer knows of a right, or of its end."""
    asked = {"namespace": room.name, **attributes}
    wait_until(
        lambda: may(room.rest, user_of(room, account), verb, resource, **asked) is there,
        what=f"{account} {'may' if there else 'may not'} {verb} {resource}",
        timeout=20,
    )


@contextlib.contextmanager
def logged_in(cluster: Cluster, token: str) -> Iterator[Rest]:
    """A client with that token and nothing else."""
    with Rest(dataclasses.replace(cluster, token=token, cert_file="", key_file="")) as rest:
        yield rest


@contextlib.contextmanager
def account(cluster: Cluster, room: Room, name: str, *rules: Object) -> Iterator[Room]:
    """The room as an account of these rights sees it."""
    room.create("serviceaccounts", {"metadata": {"name": name}})
    if rules:
        grant(room, name, *rules)
        await_right(room, name, rules[-1]["verbs"][0], rules[-1]["resources"][0], group=rules[-1]["apiGroups"][0])
    with logged_in(cluster, token_of(room, name)["token"]) as rest:
        yield Room(rest, room.name)
