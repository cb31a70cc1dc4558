"""What happens to an object that comes in, whatever its kind: read it, fill in defaults, say what is wrong with it.

Rule 1: the order of a request is `decode`, `default`, then `validate`; each works on the whole object, metadata too.
Rule 2: this is the one place that tells built-in and custom kinds apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testinfra.kubernetes.fake import builtinrules, crds, decoding, defaults, metadata, rules, schema
from testinfra.kubernetes.fake.causes import Cause
from testinfra.kubernetes.fake.decoding import Undecodable
from testinfra.kubernetes.fake.kinds import Kind

__all__ = ["Undecodable", "decode", "default", "validate", "validate_metadata"]


def decode(kind: Kind, obj: dict[str, Any]) -> list[str]:
    """Bring an object into its kind's form, in place; gives the paths of the fields that were dropped as unknown.

    Raises Undecodable with the message of the 400 (to be led by `<Kind> in version "<v>" cannot be handled as a
    <Kind>: `).
    """
    if kind.crd:
        if isinstance(obj.get("metadata"), dict):
            at_home = {"type": "object", "properties": {"metadata": schema.properties({}, root=True)["metadata"]}}
            obj["metadata"] = decoding.read(at_home, {"metadata": obj["metadata"]}, kind=kind.kind)["metadata"]
        return schema.prune(kind.schema, obj)
    unknown = schema.prune(kind.schema, obj)
    read = decoding.read(kind.schema, obj, kind=kind.kind)
    obj.clear()
    obj.update(read)
    return unknown


def default(kind: Kind, obj: dict[str, Any]) -> None:
    """Fill in what the server fills in, in place. `metadata` has its name and uid by then."""
    if kind.crd:
        schema.drop_nulls(kind.schema, obj)
        schema.default(kind.schema, obj)
    elif kind.key == ("apiextensions.k8s.io", "customresourcedefinitions"):
        crds.default(obj)
    else:
        defaults.fill(kind, obj)


def validate(
    kind: Kind, new: Mapping[str, Any], old: Mapping[str, Any] | None = None, *, subresource: str = ""
) -> list[Cause]:
    """Say what is wrong with an object, metadata apart; `old` is what it replaces."""
    if kind.crd:
        found = schema.validate(kind.schema, new) + schema.duplicates(kind.schema, new)
        return found + (rules.kept_from(kind.schema, found) or rules.broken(kind.schema, new, old))
    if kind.key == ("apiextensions.k8s.io", "customresourcedefinitions"):
        return [] if subresource else crds.validate(new, old)
    return builtinrules.validate(kind, new, None if subresource else old)


def validate_metadata(kind: Kind, new: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[Cause]:
    """Say what is wrong with an object's metadata; its name is filled in."""
    return metadata.validate(kind, new, old)
