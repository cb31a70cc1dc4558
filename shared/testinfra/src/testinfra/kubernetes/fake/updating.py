"""Update and patch: another state of an object that is there, whole or in one of its subresources.

Rule 1: `metadata.resourceVersion`, where it is given, must be that of the object; `uid` as well.
Rule 2: a state that differs in nothing is not stored: no new version, no event.
Rule 3: the object itself is written without its status, `status` without all else.
Rule 4: `generation` counts changes of anything but metadata and, where it is a subresource, status.
Rule 5: an object that is being deleted and has no finalizer left is gone.
"""

from __future__ import annotations

from testinfra.kubernetes.fake import bodies, conversion, creating, deleting, grants, objects, patches, scale, traits
from testinfra.kubernetes.fake.call import Answer, Call, unstored
from testinfra.kubernetes.fake.causes import Cause
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.queries import WriteOptions, write_options
from testinfra.kubernetes.fake.status_errors import (
    INVALID,
    bad_request,
    conflict,
    invalid,
    invalid_patch,
    modified,
    refused,
    version_missing,
)
from testinfra.kubernetes.fake.store import Object, Stored, encode
from testinfra.kubernetes.fake.traits import NAMESPACES

_KEPT = ("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "uid")


def update(call: Call) -> Answer:
    """PUT of an object or a subresource. Raises `Refused`."""
    options = write_options(call.query, "UpdateOptions")
    content = bodies.object_of(call.body, call.content_type, call.kind)
    stored = call.world.store.find(call.resource, call.namespace, call.target.name)
    if stored is None and traits.created_by_update(call.kind) and not call.target.subresource:
        check_name(call, content)
        return creating.create_object(call, content, options)
    return replace(call, call.found(), content, options)


def patch(call: Call) -> Answer:
    """PATCH of an object or a subresource. Raises `Refused`."""
    options = write_options(call.query, "PatchOptions")
    apply = patches.read(call.body, call.content_type, call.kind)
    stored = call.found()
    content = apply(call.world.shown(call.kind, stored.copy()))
    _check_type(call, content)
    return replace(call, stored, content, options)


def get_scale(call: Call) -> Answer:
    """GET of `scale`."""
    return Answer(document=scale.read(call.kind, call.world.shown(call.kind, call.found().content)))


def update_scale(call: Call) -> Answer:
    """PUT or PATCH of `scale`: the replicas of the object."""
    patched = call.target.verb == "patch"
    options = write_options(call.query, "PatchOptions" if patched else "UpdateOptions")
    stored = call.found()
    content = call.world.shown(call.kind, stored.copy())
    if patched:
        apply = patches.read(call.body, call.content_type, call.kind)
        asked = apply(scale.read(call.kind, content))
    else:
        asked = bodies.parsed(
            call.body, call.content_type, "the object provided is unrecognized (must be of type Scale)"
        )
    if not isinstance(asked, dict):
        raise bad_request("the object provided is unrecognized (must be of type Scale): it is no object")
    version = (asked.get("metadata") or {}).get("resourceVersion")
    if version and version != str(stored.revision):
        raise modified(call.kind, call.target.name)
    scale.write(call.kind, content, asked)
    done = replace(call, stored, content, options, whole=True)
    assert done.stored is not None
    return Answer(document=scale.read(call.kind, call.world.shown(call.kind, done.stored.content)))


def _check_type(call: Call, content: Object) -> None:
    for key, wanted in (("kind", call.kind.kind), ("apiVersion", call.kind.api_version)):
        if content.get(key) != wanted:
            why = f'Invalid value: "{content.get(key, "")}": must be {wanted}'
            raise invalid(call.kind, call.target.name, [Cause("FieldValueInvalid", why, key)])
    if not isinstance(content.get("metadata"), dict):
        raise invalid_patch(encode(content), "metadata is no object")


def check_name(call: Call, content: Object) -> None:
    """Refuse an object of another name than the address has."""
    name = content["metadata"].setdefault("name", call.target.name)
    if name != call.target.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.target.name})")


def replace(call: Call, stored: Stored, content: Object, options: WriteOptions, *, whole: bool = False) -> Answer:
    """Make `content` the object's new state; `whole`: it is the object, though a subresource is named."""
    kind, subresource = call.kind, "" if whole else call.target.subresource
    check_name(call, content)
    creating.place(call, content)
    creating.decode(call, content, options)
    _check_preconditions(call, stored, content["metadata"])
    before = conversion.from_stored(kind, stored.copy())
    content = _merged(call, before, content, subresource)
    metadata = content["metadata"]
    _refuse_new_finalizers(call, before, metadata)
    objects.default(kind, content)
    if _counts(kind, before, content):
        metadata["generation"] = before["metadata"].get("generation", 0) + 1
    causes = [
        *objects.validate_metadata(kind, content, before),
        *objects.validate(kind, content, before, subresource=subresource),
    ]
    if causes:
        raise invalid(kind, call.target.name, causes)
    grants.check(call, content, before)
    return _finish(call, stored, creating.stateless(conversion.to_stored(kind, content)), options)


def _check_preconditions(call: Call, stored: Stored, metadata: Object) -> None:
    version, uid = metadata.get("resourceVersion"), metadata.get("uid")
    has = stored.content["metadata"]["uid"]
    if uid and uid != has and call.target.verb == "patch":
        why = f'Invalid value: "{uid}": field is immutable'
        raise invalid(call.kind, call.target.name, [Cause("FieldValueInvalid", why, "metadata.uid")])
    if uid and uid != has:
        group, plural = call.resource
        key = "/".join(filter(None, ("/registry", group if call.kind.crd else "", plural, *stored.key)))
        raise conflict(
            call.kind,
            call.target.name,
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg:"
            f" Precondition failed: UID in precondition: {uid}, UID in object meta: {has}",
        )
    if version in (None, "", "0"):
        if traits.version_needed(call.kind):
            raise version_missing(call.kind, call.target.name)
    elif not str(version).isdigit():
        why = f'Invalid value: "{version}": strconv.ParseUint: parsing "{version}": invalid syntax'
        raise refused(INVALID, "Invalid", f"metadata.resourceVersion: {why}")
    elif int(version) != stored.revision:
        raise modified(call.kind, call.target.name)


def _merged(call: Call, before: Object, content: Object, subresource: str) -> Object:
    """Give the new state: of what was sent what the caller may write there, of the rest what was."""
    if subresource:
        part = "spec" if subresource == "finalize" else "status"
        merged = {**call.world.shown(call.kind, before), "metadata": dict(before["metadata"])}
        merged.pop(part, None)
        if part in content:
            merged[part] = content[part]
        return merged
    metadata, had = content["metadata"], before["metadata"]
    for key in (*_KEPT, "managedFields", "selfLink"):
        metadata.pop(key, None)
    metadata |= {key: had[key] for key in (*_KEPT, "resourceVersion") if key in had}
    if call.resource == NAMESPACES:  # its finalizers have a subresource of their own
        content["spec"] = before.get("spec", {})
    if "status" in call.kind.subresources:
        content.pop("status", None)
        if "status" in before:
            content["status"] = before["status"]
    return content


def _refuse_new_finalizers(call: Call, before: Object, metadata: Object) -> None:
    if "deletionTimestamp" not in before["metadata"]:
        return
    if new := sorted(set(metadata.get("finalizers") or ()) - set(traits.finalizers(before))):
        found = ", ".join(f'"{one}"' for one in new)
        why = "no new finalizers can be added if the object is being deleted, found new finalizers []string"
        why = f"Forbidden: {why}{{{found}}}"
        raise invalid(call.kind, call.target.name, [Cause("FieldValueForbidden", why, "metadata.finalizers")])


def _counts(kind: Kind, before: Object, content: Object) -> bool:
    if not traits.has_generation(kind):
        return False
    apart = {"kind", "apiVersion", "metadata"} | ({"status"} if "status" in kind.subresources else set())
    differs = any(before.get(key) != content.get(key) for key in (before.keys() | content.keys()) - apart)
    if kind.key == ("apps", "deployments"):  # its annotations are carried to its replica sets
        annotations = [one["metadata"].get("annotations") or {} for one in (before, content)]
        return differs or annotations[0] != annotations[1]
    return differs


def _finish(call: Call, stored: Stored, state: Object, options: WriteOptions) -> Answer:
    store = call.world.store
    _drop_empty(state["metadata"])
    if state == stored.content and not deleting.is_over(call.resource, state):
        return Answer(stored)
    if options.dry_run:
        return Answer(unstored(state))
    if deleting.is_over(call.resource, state):
        store.remove(call.resource, *stored.key, last={**state, "metadata": dict(state["metadata"])})
        return Answer(unstored({**state, "metadata": {**state["metadata"], "resourceVersion": str(stored.revision)}}))
    return Answer(store.put(call.resource, state))


def _drop_empty(metadata: Object) -> None:
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        if key in metadata and not metadata[key]:
            del metadata[key]
