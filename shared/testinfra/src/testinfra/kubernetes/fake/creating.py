"""Create: a new object, as far as the server's part of it goes.

Rule 1: what the server makes (uid, times, version, generation, status) is not the caller's: what is sent is put aside.
Rule 2: a name that is generated is drawn again while it is taken, as the server does it (8 times).
"""

from __future__ import annotations

import secrets
import uuid

from testinfra.kubernetes.fake import bodies, conversion, grants, objects, traits
from testinfra.kubernetes.fake.call import Answer, Call, unstored
from testinfra.kubernetes.fake.causes import Cause
from testinfra.kubernetes.fake.queries import WriteOptions, write_options
from testinfra.kubernetes.fake.status_errors import (
    INTERNAL,
    Refused,
    already_exists,
    bad_request,
    forbidden,
    invalid,
    invalid_patch,
    not_found,
    refused,
)
from testinfra.kubernetes.fake.store import Object, encode
from testinfra.kubernetes.fake.traits import NAMESPACES
from testinfra.kubernetes.fake.world import now

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of generated names: `k8s.io/apimachinery/pkg/util/rand`."""
_LONGEST_BASE = 58
_DRAWS = 8
_SERVERS_OWN = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


def create(call: Call) -> Answer:
    """POST to a collection. Raises `Refused`."""
    options = write_options(call.query, "CreateOptions")
    content = bodies.object_of(call.body, call.content_type, call.kind)
    return create_object(call, content, options)


def create_object(call: Call, content: Object, options: WriteOptions) -> Answer:
    """Make a new object of what was sent."""
    kind = call.kind
    decode(call, content, options)
    metadata = content["metadata"]
    if metadata.get("resourceVersion"):
        raise refused(INTERNAL, "", "resourceVersion should not be set on objects to be created")
    place(call, content)
    for key in _SERVERS_OWN:
        metadata.pop(key, None)
    _name(call, metadata)
    _check_namespace(call, metadata.get("name", ""))
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
    if traits.has_generation(kind):
        metadata["generation"] = 1
    traits.drop_status(kind, content)
    traits.give_account(call.world, kind, content)
    objects.default(kind, content)
    if causes := [*objects.validate_metadata(kind, content), *objects.validate(kind, content)]:
        raise invalid(kind, metadata.get("name", ""), causes)
    grants.check(call, content)
    existing = call.world.store.find(call.resource, call.namespace, metadata["name"])
    if existing:
        raise already_exists(kind, metadata["name"], going="deletionTimestamp" in existing.content["metadata"])
    state = stateless(conversion.to_stored(kind, content))
    return Answer(unstored(state) if options.dry_run else call.world.store.put(call.resource, state), code=201)


def decode(call: Call, content: Object, options: WriteOptions) -> None:
    """Check types and drop unknown fields, as `fieldValidation` says. Raises `Refused` (400; 422 for a patch)."""
    sent = encode(content) if call.target.verb == "patch" else b""
    try:
        unknown = [f'unknown field "{path}"' for path in objects.decode(call.kind, content)]
    except objects.Undecodable as exc:
        raise _undecodable(call, sent, str(exc)) from exc
    if unknown and options.field_validation == "Strict":
        raise _undecodable(call, sent, f"strict decoding error: {', '.join(unknown)}")
    if options.field_validation == "Warn":
        call.warn(unknown)


def _undecodable(call: Call, sent: bytes, why: str) -> Refused:
    kind = call.kind
    if call.target.verb == "patch":
        return invalid_patch(sent, why)
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def stateless(content: Object) -> Object:
    """Give an object as it is stored: without its type."""
    return {key: value for key, value in content.items() if key not in ("kind", "apiVersion")}


def place(call: Call, content: Object) -> None:
    """Put the object in the namespace of the address. Raises `Refused` where it says another."""
    metadata = content["metadata"]
    if not call.kind.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace") not in (None, "", call.namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = call.namespace


def _name(call: Call, metadata: Object) -> None:
    base = metadata.get("generateName")
    if metadata.get("name") or not base:
        return
    for _ in range(_DRAWS):
        metadata["name"] = base[:_LONGEST_BASE] + "".join(secrets.choice(_LETTERS) for _ in range(5))
        if not call.world.store.find(call.resource, call.namespace, metadata["name"]):
            return


def _check_namespace(call: Call, name: str) -> None:
    """Do what the NamespaceLifecycle admission does."""
    if not call.kind.namespaced:
        return
    space = call.world.store.find(NAMESPACES, "", call.namespace)
    if space is None:
        of = call.world.kind_of(NAMESPACES)
        assert of is not None
        raise not_found(of, call.namespace)
    if "deletionTimestamp" in space.content["metadata"]:
        cause = Cause("NamespaceTerminating", f"namespace {call.namespace} is being terminated", "metadata.namespace")
        why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
        raise forbidden(call.kind, name, why, [cause])
