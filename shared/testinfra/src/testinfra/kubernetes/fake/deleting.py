"""Delete: an object is marked, and gone when nothing holds it: no finalizer, no grace, no namespace's content.

Rule 1: the policy of the caller becomes a finalizer (`orphan`, `foregroundDeletion`) that the collector takes away.
Rule 2: a second delete changes nothing but a pod's grace, which it may shorten.
Rule 3: where there is no kubelet, a pod that is bound to a node waits for one for ever; a namespace's end does not.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from testinfra.kubernetes.fake import bodies, crds, traits
from testinfra.kubernetes.fake.call import Answer, Call, unstored
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.queries import BACKGROUND, FOREGROUND, ORPHAN, DeleteOptions, delete_options
from testinfra.kubernetes.fake.status_errors import bad_request, conflict, forbidden
from testinfra.kubernetes.fake.store import Object, Resource, Stored
from testinfra.kubernetes.fake.traits import CRDS, NAMESPACES, PERMANENT_NAMESPACES, PODS
from testinfra.kubernetes.fake.world import World, now

ORPHAN_FINALIZER, FOREGROUND_FINALIZER = "orphan", "foregroundDeletion"
CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_ABOUT_TO_GO = {
    "type": "Terminating",
    "status": "True",
    "reason": "InstanceDeletionPending",
    "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
}
_BY_POLICY = {ORPHAN: ORPHAN_FINALIZER, FOREGROUND: FOREGROUND_FINALIZER}
IN_THE_BACKGROUND = DeleteOptions(dry_run=False, propagation=BACKGROUND, grace=None, uid="", resource_version="")


def delete(call: Call) -> Answer:
    """DELETE of an object. Raises `Refused`."""
    options = options_of(call)
    stored = call.found()
    name = call.target.name
    if call.resource == NAMESPACES and name in PERMANENT_NAMESPACES:
        raise forbidden(call.kind, name, "this namespace may not be deleted")
    _check_preconditions(call.kind, stored, options)
    call.warn(traits.deletion_warnings(call.kind, options.propagation))
    left, gone = end(call.world, call.kind, call.resource, stored, options)
    if not gone or traits.shown_when_gone(call.kind):
        return Answer(left)
    details = {"name": name, "group": call.kind.group, "kind": call.kind.plural, "uid": left.content["metadata"]["uid"]}
    return Answer(
        document={
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }
    )


def options_of(call: Call) -> DeleteOptions:
    """Read the options of a delete. Raises `Refused`."""
    body: Any = {}
    if call.body.strip():
        body = bodies.parsed(call.body, call.content_type, "the object provided is unrecognized")
        if not isinstance(body, dict):
            raise bad_request("the object provided is unrecognized (must be of type DeleteOptions): it is no object")
    return delete_options(call.query, body)


def _check_preconditions(kind: Kind, stored: Stored, options: DeleteOptions) -> None:
    metadata = stored.content["metadata"]
    name = metadata["name"]
    if options.uid and options.uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']})."
            " The object might have been deleted and then recreated"
        )
        raise conflict(kind, name, why, by_kind=True)
    if options.resource_version and options.resource_version != str(stored.revision):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion"
            f" in record ({stored.revision}). The object might have been modified"
        )
        raise conflict(kind, name, why, by_kind=True)


def end(world: World, kind: Kind, resource: Resource, stored: Stored, options: DeleteOptions) -> tuple[Stored, bool]:
    """Begin an object's end, or bring it about; gives the object as it is then, and whether it is gone."""
    content = stored.copy()
    metadata = content["metadata"]
    was_going = "deletionTimestamp" in metadata
    finalizers = _finalizers(kind, content, options)
    grace = _grace(resource, content, options)
    waits = bool(finalizers) or grace > 0 or (resource == NAMESPACES and bool(content["spec"].get("finalizers")))
    if was_going and finalizers == traits.finalizers(content) and (waits and not _shorter(metadata, grace)):
        return stored, False
    if not was_going:
        _mark(resource, content, grace)
    elif _shorter(metadata, grace):
        metadata |= {"deletionTimestamp": _in(grace), "deletionGracePeriodSeconds": grace}
    metadata["finalizers"] = finalizers
    if not finalizers:
        del metadata["finalizers"]
    if options.dry_run:
        return unstored(content), not waits
    if waits:
        return world.store.put(resource, content), False
    last = content if resource == PODS else None
    return world.store.remove(resource, *stored.key, last=last), True


def is_over(resource: Resource, content: Object) -> bool:
    """Tell whether nothing holds an object any more that is being deleted."""
    metadata = content["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if resource == NAMESPACES:
        return not (content.get("spec") or {}).get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")


def _finalizers(kind: Kind, content: Object, options: DeleteOptions) -> list[str]:
    """Give the finalizers that the object has from now on."""
    had = traits.finalizers(content)
    if not options.propagation:
        if not traits.orphans(kind) or FOREGROUND_FINALIZER in had or ORPHAN_FINALIZER in had:
            return [*had, CRD_FINALIZER] if _is_new_crd(kind, content) else had
        return [*had, ORPHAN_FINALIZER]
    kept = [one for one in had if one not in (ORPHAN_FINALIZER, FOREGROUND_FINALIZER)]
    if _is_new_crd(kind, content):
        kept.append(CRD_FINALIZER)
    wanted = _BY_POLICY.get(options.propagation)
    return [*kept, wanted] if wanted else kept


def _is_new_crd(kind: Kind, content: Object) -> bool:
    return kind.key == CRDS and "deletionTimestamp" not in content["metadata"] and crds.established(content)


def _grace(resource: Resource, content: Object, options: DeleteOptions) -> int:
    """Give the seconds that the object has to end: only pods that are bound to a node have any."""
    if resource != PODS:
        return 0
    spec, status = content.get("spec", {}), content.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    default: int = spec.get("terminationGracePeriodSeconds", 30)
    return default if options.grace is None else options.grace


def _shorter(metadata: Object, grace: int) -> bool:
    return bool(grace < metadata.get("deletionGracePeriodSeconds", 0))


def _in(seconds: int) -> str:
    then = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mark(resource: Resource, content: Object, grace: int) -> None:
    metadata = content["metadata"]
    metadata["deletionTimestamp"] = _in(grace)
    if resource == NAMESPACES:
        content["status"] = {**content.get("status", {}), "phase": "Terminating"}
        return
    if resource == CRDS:
        conditions = content.setdefault("status", {}).setdefault("conditions", [])
        conditions.append(_ABOUT_TO_GO | {"lastTransitionTime": now()})
        return
    metadata["deletionGracePeriodSeconds"] = grace
    if "generation" in metadata:
        metadata["generation"] += 1
