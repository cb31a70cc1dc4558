"""RemediationRequests: how one is written, and what of one is remembered.

Rule 1: the name is made of the fingerprint and a generation, so that all replicas make the same one and the server
        lets only one of them.
Rule 2: what is remembered is what deduplication needs; labels, annotations and the payload are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import times
from gateway.signals import Signal

GROUP, VERSION, PLURAL = "kubernaut.ai", "v1alpha1", "remediationrequests"
KIND = "RemediationRequest"
CREATED_BY = f"{GROUP}/created-by"
ORIGIN = f"{GROUP}/origin-namespace"
TERMINAL = frozenset({"Completed", "Failed", "TimedOut", "Skipped", "Cancelled"})
RESOLVED = "Resolved"

LABEL_LIMIT = 63
ANNOTATION_LIMIT = 262_144
_TEXT_LIMIT = 253
_DIGITS = 24
"""Of the fingerprint's 64, those that the name has: 96 bits, and the server is asked for the whole one all the same."""
_NAME = re.compile(rf"rr-[a-f0-9]{{{_DIGITS}}}-([1-9][0-9]{{0,17}})")

Key = tuple[str, str]
"""Namespace and name."""


def path(namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of the collection (in all namespaces, or in one), of an object, or of its status."""
    parts = [f"/apis/{GROUP}/{VERSION}"]
    parts += [f"namespaces/{namespace}"] if namespace else []
    return "/".join([*parts, PLURAL, *filter(None, (name, subresource))])


def name_of(fingerprint: str, generation: int) -> str:
    """Return the name of the resource that is the `generation`th of its problem, from 1."""
    return f"rr-{fingerprint[:_DIGITS]}-{generation}"


def generation_of(name: str) -> int:
    """Return the generation that a name says; 0 for a name that is not of ours."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else 0


def new(signal: Signal, namespace: str, generation: int, created_by: str) -> dict[str, Any]:
    """Return the object to create; `created_by` tells it from what another replica made under the same name."""
    labels = {
        "app.kubernetes.io/managed-by": "gateway",
        f"{GROUP}/severity": signal.severity,
        f"{GROUP}/signal-type": signal.type,
    }
    if namespace != signal.namespace:
        labels[ORIGIN] = _label_value(signal.namespace)
    target = {"kind": cut(signal.target.kind, LABEL_LIMIT), "name": cut(signal.target.name, _TEXT_LIMIT)}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {
            "name": name_of(signal.fingerprint, generation),
            "namespace": namespace,
            "labels": labels,
            "annotations": {CREATED_BY: created_by},
        },
        "spec": {
            "signalFingerprint": signal.fingerprint,
            "signalName": signal.name,
            "severity": signal.severity,
            "signalType": signal.type,
            "signalSource": cut(signal.source, LABEL_LIMIT),
            "targetType": "kubernetes",
            "targetResource": {**target, "namespace": cut(signal.namespace, _TEXT_LIMIT)},
            "signalLabels": {key: cut(value, LABEL_LIMIT) for key, value in signal.labels.items()},
            "signalAnnotations": {key: cut(value, ANNOTATION_LIMIT) for key, value in signal.annotations.items()},
            "firingTime": times.write(signal.since),
            "receivedTime": times.write(signal.received),
            "originalPayload": signal.payload_text(),
        },
    }


def cut(text: str, limit: int) -> str:
    """Return at most the first `limit` characters."""
    return text[:limit]


def _label_value(text: str) -> str:
    """Return `text` as a label's value may be: letters, digits and `-_.`, with one of the former at both ends.

    Any other character becomes a hyphen; the fingerprint, which is made of the whole text, tells such namespaces apart.
    """
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:LABEL_LIMIT].strip("-_.")


@dataclass(slots=True)
class Entry:
    """What is remembered of one resource."""

    fingerprint: str
    key: Key
    version: int
    """Its resourceVersion, which the server counts up."""
    active: bool
    """Whether its phase is not a terminal one."""
    generation: int
    count: int
    first_seen: str
    last_seen: str
    resolved: bool
    """Whether it says that its problem is over."""
    writers: dict[str, int] = field(default_factory=dict)


def read(obj: Mapping[str, Any]) -> Entry:
    """Return what is remembered of `obj`, as the server sent it."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    seen = status.get("deduplication") or {}
    received = str(spec.get("receivedTime") or metadata.get("creationTimestamp") or "")
    name = str(metadata["name"])
    first = str(seen.get("firstSeenAt") or received)
    return Entry(
        fingerprint=str(spec.get("signalFingerprint", "")),
        key=(str(metadata["namespace"]), name),
        version=int(metadata["resourceVersion"]),
        active=status.get("overallPhase") not in TERMINAL,
        generation=generation_of(name),
        count=int(seen.get("occurrenceCount", 1)),
        first_seen=first,
        last_seen=str(seen.get("lastSeenAt") or first),
        resolved=any(
            each.get("type") == RESOLVED and each.get("status") == "True" for each in status.get("conditions") or ()
        ),
        writers=dict(seen.get("writers") or {}),
    )


def created_by(obj: Mapping[str, Any]) -> str:
    """Return who created `obj`, as `new` was told; empty where that is not said."""
    return str((obj["metadata"].get("annotations") or {}).get(CREATED_BY, ""))
