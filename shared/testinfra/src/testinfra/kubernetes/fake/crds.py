"""CustomResourceDefinitions: defaults, what is refused, and when their names are accepted.

Rule 1: the words are those of a 1.36 server; what is checked is what people get wrong. Not checked: the estimated cost
        of rules in CEL, and their types.
Rule 2: a CRD is served once its condition Established is True (`established`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from testinfra.kubernetes.fake import crdschemas, metadata
from testinfra.kubernetes.fake.builtinrules import invalid, required
from testinfra.kubernetes.fake.causes import Cause, shown
from testinfra.kubernetes.fake.kinds import Kinds

_Object = Mapping[str, Any]
_APPROVAL = "api-approved.kubernetes.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def default(crd: dict[str, Any]) -> None:
    """Fill in what the server fills in, in place."""
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        names["singular"] = names.get("singular") or names["kind"].lower()
        names["listKind"] = names.get("listKind") or names["kind"] + "List"
    stored = [version["name"] for version in spec.get("versions") or [] if version.get("storage")]
    crd.setdefault(
        "status", {"acceptedNames": {"plural": "", "kind": ""}, "conditions": None, "storedVersions": stored}
    )
    spec.setdefault("conversion", {"strategy": "None"})
    hook = (spec["conversion"].get("webhook") or {}).get("clientConfig") or {}
    if hook.get("service"):
        hook["service"].setdefault("port", 443)


def validate(crd: _Object, old: _Object | None = None) -> list[Cause]:
    """Say what is wrong with a CRD to be created, or (with `old`) changed."""
    spec = crd.get("spec") or {}
    found = list(_names(crd, spec))
    found += _scope(spec)
    found += _versions(spec)
    found += _conversion(spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        told = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        found.append(invalid("spec.preserveUnknownFields", True, told))
    return found + list(_changes(spec, (old or {}).get("spec") or {}) if old else ())


def _names(crd: _Object, spec: _Object) -> Iterator[Cause]:
    names, group = spec.get("names") or {}, spec.get("group") or ""
    name = crd["metadata"].get("name", "")
    if name != f"{names.get('plural', '')}.{group}":
        yield invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield required("spec.group")
    else:
        wrong = metadata.subdomain(group)
        if not wrong and "." not in group:
            wrong = ["should be a domain with at least one dot"]
        yield from (invalid("spec.group", group, told) for told in wrong)
    if (group == "k8s.io" or group.endswith((".k8s.io", ".kubernetes.io"))) and not (
        crd["metadata"].get("annotations") or {}
    ).get(_APPROVAL):
        told = (
            f'protected groups must have approval annotation "{_APPROVAL}", see '
            "https://github.com/kubernetes/enhancements/pull/1111"
        )
        yield required(f"metadata.annotations[{_APPROVAL}]", told)
    for field in ("plural", "singular", "kind", "listKind"):
        yield from _name(f"spec.names.{field}", names.get(field) or "", mixed=field in {"kind", "listKind"})
    for field in ("shortNames", "categories"):
        for index, text in enumerate(names.get(field) or []):
            yield from _name(f"spec.names.{field}[{index}]", text, mixed=False)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _name(at: str, text: str, *, mixed: bool) -> Iterator[Cause]:
    if not text:
        yield required(at)
        return
    for told in metadata.dns1035(text.lower() if mixed else text):
        yield invalid(at, text, f"may have mixed case, but should otherwise match: {told}" if mixed else told)


def _scope(spec: _Object) -> Iterator[Cause]:
    scope = spec.get("scope")
    if not scope:
        yield required("spec.scope")
    elif scope not in {"Cluster", "Namespaced"}:
        told = f'Unsupported value: {shown(scope)}: supported values: "Cluster", "Namespaced"'
        yield Cause("FieldValueNotSupported", told, "spec.scope")


def _versions(spec: _Object) -> Iterator[Cause]:
    versions = spec.get("versions") or []
    names = [version.get("name", "") for version in versions]
    stored = [version["name"] for version in versions if version.get("storage")]
    if len(set(names)) < len(names):
        yield invalid("spec.versions", _as_go(versions), "must contain unique version names")
    if len(stored) != 1:
        yield invalid("spec.versions", _as_go(versions), "must have exactly one version marked as storage version")
        if not stored:
            yield invalid("status.storedVersions", None, "must have at least one stored version")
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        yield from (invalid(f"{at}.name", version["name"], told) for told in metadata.dns1035(version.get("name", "")))
        yield from _version(version, at, alone=len(versions) == 1)


def _as_go(versions: list[_Object]) -> list[dict[str, Any]]:
    """The versions as the server's message shows them: the fields of its own struct."""
    fields = ("Deprecated", "DeprecationWarning", "Schema", "Subresources", "AdditionalPrinterColumns")
    return [
        {
            "Name": version.get("name", ""),
            "Served": bool(version.get("served")),
            "Storage": bool(version.get("storage")),
        }
        | {**dict.fromkeys((*fields, "SelectableFields")), "Deprecated": bool(version.get("deprecated"))}
        for version in versions
    ]


def _version(version: _Object, at: str, *, alone: bool) -> Iterator[Cause]:
    """A version's schema and what it adds; the server tells the only version's as if they stood in `spec` itself."""
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    outer = "spec" if alone else at
    if schema is None:
        yield required(f"{at}.schema.openAPIV3Schema")
    else:
        yield from crdschemas.validate(
            schema, "spec.validation.openAPIV3Schema" if alone else f"{at}.schema.openAPIV3Schema"
        )
        yield from _selectable(version, schema, f"{outer}.selectableFields")
    for index, column in enumerate(version.get("additionalPrinterColumns") or []):
        yield from _column(column, f"{outer}.additionalPrinterColumns[{index}]")
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        yield from _scale(scale, f"{outer}.subresources.scale")


def _column(column: _Object, at: str) -> Iterator[Cause]:
    kinds = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not column.get("name"):
        yield required(f"{at}.name")
    if not column.get("type"):
        yield required(f"{at}.type", kinds)
    elif column["type"] not in _COLUMN_TYPES:
        yield invalid(f"{at}.type", column["type"], kinds)
    path = column.get("jsonPath") or ""
    if not path:
        yield required(f"{at}.JSONPath")
    elif not path.startswith("."):
        yield invalid(f"{at}.JSONPath", path, "must be a simple json path starting with .")


def _scale(scale: _Object, at: str) -> Iterator[Cause]:
    for field, under, needed in (
        ("specReplicasPath", (".spec.",), True),
        ("statusReplicasPath", (".status.",), True),
        ("labelSelectorPath", (".spec.", ".status."), False),
    ):
        path = scale.get(field) or ""
        if not path:
            if needed:
                yield required(f"{at}.{field}")
        elif not path.startswith("."):
            yield invalid(f"{at}.{field}", path, "must be a simple json path starting with .")
        elif not path.startswith(under):
            told = "under either .spec or .status" if len(under) > 1 else f"under {under[0][:-1]}"
            yield invalid(f"{at}.{field}", path, f"should be a json path {told}")


def _selectable(version: _Object, schema: _Object, at: str) -> Iterator[Cause]:
    seen = set()
    for index, field in enumerate(version.get("selectableFields") or []):
        here, path = f"{at}[{index}].jsonPath", field.get("jsonPath") or ""
        told = _unselectable(schema, path)
        if not path:
            yield required(here)
        elif told:
            yield invalid(here, path, told)
        elif path in seen:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {shown(path)}", here)
        seen.add(path)


def _unselectable(schema: _Object, path: str) -> str:
    """Tell why a path cannot be selected by, "" if it can."""
    if not path.startswith("."):
        return f"is an invalid path: expected [ or . but got: {path.partition('.')[0]}"
    here: _Object | None = schema
    for step in path[1:].split("."):
        here = ((here or {}).get("properties") or {}).get(step) if step != "metadata" else None
    if here is None:
        return "is an invalid path: does not refer to a valid field"
    if here.get("type") not in {"string", "boolean", "integer"}:
        return (
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are "
            "allowed."
        )
    return ""


def _conversion(conversion: _Object) -> Iterator[Cause]:
    strategy = conversion.get("strategy")
    if strategy == "Webhook":
        hook = conversion.get("webhook") or {}
        if not hook.get("clientConfig"):
            yield required("spec.conversion.webhookClientConfig", "required when strategy is set to Webhook")
        if not hook.get("conversionReviewVersions"):
            yield required("spec.conversion.conversionReviewVersions")
    elif strategy != "None":
        told = f'Unsupported value: {shown(strategy or "")}: supported values: "None", "Webhook"'
        yield Cause("FieldValueNotSupported", told, "spec.conversion.strategy")


def _changes(spec: _Object, before: _Object) -> Iterator[Cause]:
    for field, new, old in (
        ("group", spec.get("group"), before.get("group")),
        ("scope", spec.get("scope"), before.get("scope")),
        ("names.kind", spec["names"].get("kind"), before["names"].get("kind")),
        ("names.plural", spec["names"].get("plural"), before["names"].get("plural")),
    ):
        if new != old:
            yield invalid(f"spec.{field}", new, "field is immutable")


def conditions(crd: dict[str, Any], kinds: Kinds, now: str) -> None:
    """Fill in `status`, in place: accepted names, stored versions, NamesAccepted and Established.

    `kinds` are those served now (an older form of this CRD among them), `now` is an RFC 3339 time.
    """
    spec, status = crd["spec"], crd.setdefault("status", {})
    taken = _taken(crd, kinds)
    before = {one["type"]: one for one in status.get("conditions") or []}
    accepted = {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"}
    if taken:
        accepted |= {"status": "False", "reason": taken[0], "message": taken[1]}
    established = {
        "type": "Established",
        "status": "True",
        "reason": "InitialNamesAccepted",
        "message": "the initial names have been accepted",
    }
    if taken and before.get("Established", {}).get("status") != "True":
        established |= {"status": "False", "reason": "NotAccepted", "message": "not all names are accepted"}
    if not taken:
        status["acceptedNames"] = {key: value for key, value in spec["names"].items() if value}
    status.setdefault("acceptedNames", {"plural": "", "kind": ""})
    status["conditions"] = [_since(one, before.get(one["type"]), now) for one in (accepted, established)]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    status["storedVersions"] = list(dict.fromkeys([*(status.get("storedVersions") or []), *stored]))


def _since(new: dict[str, Any], before: _Object | None, now: str) -> dict[str, Any]:
    same = before is not None and before.get("status") == new["status"]
    since = before["lastTransitionTime"] if same and before else now
    return {"lastTransitionTime": since, **{key: new[key] for key in ("message", "reason", "status", "type")}}


def _taken(crd: _Object, kinds: Kinds) -> tuple[str, str] | None:
    """Find a name that another kind of the group has: (reason, message)."""
    names, own = crd["spec"]["names"], crd["metadata"]["name"]
    others = [kind for kind in kinds if kind.group == crd["spec"]["group"] and kind.crd != own]
    called = {name for kind in others for name in (kind.plural, kind.singular, *kind.short_names)}
    types = {name for kind in others for name in (kind.kind, kind.list_kind)}
    asked = [("PluralConflict", names["plural"], called), ("SingularConflict", names.get("singular"), called)]
    asked += [("ShortNamesConflict", name, called) for name in names.get("shortNames") or []]
    asked += [("KindConflict", names["kind"], types), ("ListKindConflict", names.get("listKind"), types)]
    return next(((why, f'"{name}" is already in use') for why, name, known in asked if name in known), None)


def established(crd: _Object) -> bool:
    """Tell whether a CRD's kinds are to be served."""
    told = (crd.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in told)
