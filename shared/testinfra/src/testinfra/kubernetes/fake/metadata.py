"""An object's metadata: which names, labels, annotations, finalizers and owners are possible, and what never changes.

Rule 1: the rules and words are those of apimachinery's `pkg/api/validation`, as a 1.36 server gave them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from testinfra.kubernetes.fake.causes import Cause, shown
from testinfra.kubernetes.fake.kinds import Kind

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_NAME_PART})?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
LABEL_SIZE, NAME_SIZE = 63, 253
_ANNOTATIONS_SIZE = 256 * 1024
# Kinds whose names are labels: no dots. (Services may start with a digit since 1.36.)
_LABEL_NAMED = {("", "namespaces"), ("", "services")}
# Kinds whose names are path segments: anything but "/", "%", "." and "..".
_PATH_NAMED = {"roles", "rolebindings", "clusterroles", "clusterrolebindings"}
_STANDARD_FINALIZERS = {"orphan", "foregroundDeletion", "kubernetes"}
_EVENT_KINDS = {("v1", "Event"), ("events.k8s.io/v1", "Event")}


def subdomain(text: str) -> list[str]:
    """Say what keeps a text from being an RFC 1123 subdomain (`example.com`)."""
    if len(text) > NAME_SIZE:
        return [f"must be no more than {NAME_SIZE} characters"]
    told = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character"
    )
    return _unless(_SUBDOMAIN, text, told, "'example.com'")


def label_name(text: str) -> list[str]:
    """Say what keeps a text from being an RFC 1123 label (`my-name`)."""
    if len(text) > LABEL_SIZE:
        return [f"must be no more than {LABEL_SIZE} characters"]
    told = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character"
    )
    return _unless(_LABEL, text, told, "'my-name',  or '123-abc'")


def dns1035(text: str) -> list[str]:
    """Say what keeps a text from being a DNS-1035 label (`abc-123`)."""
    told = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character"
    )
    return _unless(_DNS1035, text, told, "'my-name',  or 'abc-123'")


def qualified(text: str) -> list[str]:
    """Say what keeps a text from being the key of a label: `name`, `example.com/name`."""
    prefix, slash, name = text.rpartition("/")
    found = []
    if "/" in prefix:
        told = (
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )
        return [told]
    if slash:
        found += [f"prefix part {told}" for told in ([] if prefix else ["must be non-empty"]) or subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > LABEL_SIZE:
        found.append(f"name part must be no more than {LABEL_SIZE} bytes")
    told = (
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character"
    )
    return found + _unless(_NAME_PART, name, told, "'MyName',  or 'my.name',  or '123-abc'")


def label_value(text: str) -> list[str]:
    """Say what keeps a text from being the value of a label."""
    found = [f"must be no more than {LABEL_SIZE} bytes"] if len(text.encode()) > LABEL_SIZE else []
    told = (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
        "and end with an alphanumeric character"
    )
    return found + _unless(_LABEL_VALUE, text, told, "'MyValue',  or 'my_value',  or '12345'")


def _unless(pattern: str, text: str, told: str, examples: str) -> list[str]:
    if re.fullmatch(pattern, text, re.ASCII):
        return []
    return [f"{told} (e.g. {examples}, regex used for validation is '{pattern}')"]


def _invalid(at: str, value: Any, told: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {told}", f"metadata.{at}")


def validate(kind: Kind, new: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[Cause]:
    """Say what is wrong with the metadata of an object to be created or (with `old`) changed; `name` is filled in."""
    meta = new.get("metadata") or {}
    found = _names(kind, meta) if old is None else _unchanged(meta, old.get("metadata") or {})
    if (meta.get("generation") or 0) < 0:
        found.append(_invalid("generation", meta["generation"], "must be greater than or equal to 0"))
    for key, value in (meta.get("labels") or {}).items():
        found += [_invalid("labels", key, told) for told in qualified(key)]
        found += [_invalid("labels", value, told) for told in label_value(value)]
    annotations = meta.get("annotations") or {}
    for key in annotations:
        found += [_invalid("annotations", key, told) for told in qualified(key.lower())]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATIONS_SIZE:
        told = f"Too long: may not be more than {_ANNOTATIONS_SIZE} bytes"
        found.append(Cause("FieldValueTooLong", told, "metadata.annotations"))
    return found + _owners(meta.get("ownerReferences") or []) + _finalizers(kind, meta.get("finalizers") or [])


def _names(kind: Kind, meta: Mapping[str, Any]) -> list[Cause]:
    if not meta.get("name"):
        told = "Required value: name or generateName is required"
        return [Cause("FieldValueRequired", told, "metadata.name")]
    found = []
    for at in ("generateName", "name"):
        text = meta.get(at) or ""
        # a prefix may end in "-", since more follows
        probe = text[:-1] + "a" if at == "generateName" and text.endswith("-") else text
        found += [_invalid(at, text, told) for told in _name(kind, probe)] if text else []
    return found


def _name(kind: Kind, text: str) -> list[str]:
    if kind.plural in _PATH_NAMED:
        wrong = [part for part in ("/", "%") if part in text]
        return [f"may not be '{text}'"] if text in {".", ".."} else [f"may not contain '{part}'" for part in wrong]
    if kind.key in _LABEL_NAMED:
        return ["must not contain dots"] if "." in text and not subdomain(text) else label_name(text)
    return subdomain(text)


def _unchanged(meta: Mapping[str, Any], old: Mapping[str, Any]) -> list[Cause]:
    return [
        _invalid(at, meta.get(at), "field is immutable")
        for at in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
        if meta.get(at) != old.get(at)
    ]


def _owners(owners: list[Mapping[str, Any]]) -> list[Cause]:
    found = []
    for owner in owners:
        for at, told in (
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not owner.get(at):
                found.append(_invalid(f"ownerReferences.{at}", "", told))
        if (owner.get("apiVersion"), owner.get("kind")) in _EVENT_KINDS:
            group, _, version = owner["apiVersion"].rpartition("/")
            told = f"{group}/{version}, Kind=Event is disallowed from being an owner"
            found.append(_invalid("ownerReferences", _ordered(owner), told))
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        first, second = (f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        told = (
            f'Only one reference can have Controller set to true. Found "true" in references for {first} and {second}'
        )
        found.append(_invalid("ownerReferences", list(map(_ordered, owners)), told))
    return found


def _ordered(owner: Mapping[str, Any]) -> dict[str, Any]:
    order = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
    return {key: owner[key] for key in order if key in owner}


def _finalizers(kind: Kind, finalizers: list[str]) -> list[Cause]:
    found = []
    for index, name in enumerate(finalizers):
        found += [_invalid("finalizers", name, told) for told in qualified(name)]
        if not kind.crd and "/" not in name and name not in _STANDARD_FINALIZERS and not qualified(name):
            told = "name is neither a standard finalizer name nor is it fully qualified"
            found.append(_invalid(f"finalizers[{index}]", name, told))
    return found
