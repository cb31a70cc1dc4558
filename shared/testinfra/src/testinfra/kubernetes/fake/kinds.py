"""The kinds that the fake serves: the built-in ones, and those of the CRDs that are installed now.

Rule 1: a kind is a fixed value; installing a CRD again makes new ones.
Rule 2: objects belong to a resource (group and plural), not to a version: every version of a CRD shows the same ones.
Rule 3: what is derived from the kinds (discovery, OpenAPI) may be kept for as long as `Kinds.revision` stands still.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from testinfra.kubernetes.fake import builtin

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
# Verbs of a custom resource, in the order of a real server's discovery.
_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_SUB_VERBS = ("get", "patch", "update")

# The field labels of the built-in kinds, beside metadata.name and metadata.namespace. They are in no answer of the
# server; each was asked of a 1.36 with `?fieldSelector=`.
_SELECTABLE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("", "events"): (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("batch", "jobs"): ("status.successful",),
    ("events.k8s.io", "events"): (
        "regarding.kind",
        "regarding.namespace",
        "regarding.name",
        "regarding.uid",
        "regarding.apiVersion",
        "regarding.resourceVersion",
        "regarding.fieldPath",
        "reason",
        "reportingController",
        "deprecatedSource",
        "type",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Subresource:
    """`status`, `scale`, `token`, ...; `kind` with its group and version is what is sent and answered there."""

    name: str
    group: str
    version: str
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """One kind in one version."""

    group: str
    """"" for the core group."""
    version: str
    kind: str
    list_kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool
    verbs: tuple[str, ...]
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    selectable: tuple[str, ...] = ()
    """Field paths (without a leading dot) that `fieldSelector` takes, beside metadata.name and metadata.namespace."""
    storage_hash: str = ""
    crd: str = ""
    """Name of the CustomResourceDefinition; "" for a built-in kind."""
    crd_version: Mapping[str, Any] = field(default_factory=dict)
    """A custom kind's entry of `spec.versions`: schema, subresources, additionalPrinterColumns."""

    def __repr__(self) -> str:
        return f"<Kind {self.plural} of {self.api_version}>"

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The resource as messages name it: `configmaps`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The kind as messages name it: `ConfigMap`, `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def key(self) -> tuple[str, str]:
        """What objects are stored under: group and plural, the same for all versions."""
        return self.group, self.plural

    @property
    def prefix(self) -> str:
        """`/api/v1`, `/apis/apps/v1`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def schema(self) -> Mapping[str, Any]:
        """The structural schema: a CRD's own, or a built-in kind's with references linked (see `builtin`)."""
        if self.crd:
            schema: Mapping[str, Any] = self.crd_version.get("schema", {}).get("openAPIV3Schema", {})
            return schema
        return builtin.schema_of(self.group, self.version, self.kind)

    @property
    def columns(self) -> tuple[Mapping[str, Any], ...]:
        """A custom kind's `additionalPrinterColumns`."""
        return tuple(self.crd_version.get("additionalPrinterColumns", ()))

    def path(self, namespace: str = "", name: str = "") -> str:
        """Give the address of a collection, or of an object in it."""
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{self.prefix}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Kinds:
    """All kinds served now. Not safe to change from several threads at once."""

    def __init__(self) -> None:
        self.revision = 0
        """Goes up with every change."""
        self._kinds: dict[tuple[str, str, str], Kind] = {
            (kind.group, kind.version, kind.plural): kind for kind in map(_built_in, builtin.resources_told())
        }

    def __repr__(self) -> str:
        custom = sum(bool(kind.crd) for kind in self)
        return f"<Kinds: {len(self._kinds) - custom} built in, {custom} custom>"

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._kinds.values()))

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Give the kind of an address, or None."""
        return self._kinds.get((group, version, plural))

    def of(self, api_version: str, kind: str) -> Kind | None:
        """Give the kind that an object or an owner reference names, or None."""
        return next((one for one in self if one.kind == kind and one.api_version == api_version), None)

    def of_resource(self, group: str, plural: str) -> list[Kind]:
        """Give a resource's kinds, one for each served version, the preferred version first."""
        found = [kind for kind in self if kind.key == (group, plural)]
        return sorted(found, key=lambda kind: version_order(kind.version))

    def of_crd(self, name: str) -> list[Kind]:
        """Give the kinds that a CRD brought."""
        return [kind for kind in self if kind.crd == name]

    def groups(self) -> list[str]:
        """Give the names of the groups, "" among them: the built-in ones first, then the custom ones by name."""
        custom = sorted({kind.group for kind in self if kind.crd})
        return list(dict.fromkeys([kind.group for kind in self if not kind.crd] + custom))

    def versions(self, group: str) -> list[str]:
        """Give a group's served versions, the preferred one first; [] for an unknown group."""
        found = dict.fromkeys(kind.version for kind in self if kind.group == group)
        return sorted(found, key=version_order)

    def in_version(self, group: str, version: str) -> list[Kind]:
        """Give the kinds of a group's version, by plural."""
        found = [kind for kind in self if (kind.group, kind.version) == (group, version)]
        return sorted(found, key=lambda kind: kind.plural)

    def add(self, crd: Mapping[str, Any]) -> list[Kind]:
        """Serve what a CRD describes, in place of what it described before. The CRD is taken as valid, names accepted.

        Gives the kinds, one for each version with `served: true`.
        """
        self.remove(crd["metadata"]["name"])
        added = list(_custom(crd))
        self._kinds |= {(kind.group, kind.version, kind.plural): kind for kind in added}
        self.revision += 1
        return added

    def remove(self, crd_name: str) -> list[Kind]:
        """Serve a CRD's kinds no longer; gives them."""
        removed = self.of_crd(crd_name)
        for kind in removed:
            del self._kinds[kind.group, kind.version, kind.plural]
        self.revision += bool(removed)
        return removed


def version_order(version: str) -> tuple[int, int, int, str]:
    """Sort key of a version, the preferred first: v2, v1, v1beta2, v1alpha1, then names of no such form.

    That is the order of `k8s.io/apimachinery/pkg/version.CompareKubeAwareVersionStrings`.
    """
    found = re.fullmatch(r"v([0-9]+)(?:(alpha|beta)([0-9]+))?", version)
    if not found:
        return 3, 0, 0, version
    major, stage, minor = found.groups()
    return {None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0), ""


def _built_in(told: Mapping[str, Any]) -> Kind:
    return Kind(
        group=told["group"],
        version=told["version"],
        kind=told["kind"],
        list_kind=told["kind"] + "List",
        plural=told["plural"],
        singular=told["singular"],
        short_names=tuple(told["shortNames"]),
        categories=tuple(told["categories"]),
        namespaced=told["namespaced"],
        verbs=tuple(told["verbs"]),
        subresources={
            sub["name"]: Subresource(
                name=sub["name"],
                group=sub["group"],
                version=sub["version"],
                kind=sub["kind"],
                verbs=tuple(sub["verbs"]),
            )
            for sub in told["subresources"]
        },
        selectable=_SELECTABLE.get((told["group"], told["plural"]), ()),
        storage_hash=told["storageVersionHash"],
    )


def _custom(crd: Mapping[str, Any]) -> Iterable[Kind]:
    spec = crd["spec"]
    accepted = crd.get("status", {}).get("acceptedNames", {})
    names = {**spec["names"], **{key: value for key, value in accepted.items() if value}}
    for entry in spec["versions"]:
        if entry.get("served"):
            yield Kind(
                group=spec["group"],
                version=entry["name"],
                kind=names["kind"],
                list_kind=names.get("listKind") or names["kind"] + "List",
                plural=names["plural"],
                singular=names.get("singular") or names["kind"].lower(),
                short_names=tuple(names.get("shortNames", ())),
                categories=tuple(names.get("categories", ())),
                namespaced=spec["scope"] == "Namespaced",
                verbs=_CUSTOM_VERBS,
                subresources=_custom_subresources(spec["group"], entry, names["kind"]),
                selectable=tuple(one["jsonPath"].lstrip(".") for one in entry.get("selectableFields", ())),
                crd=crd["metadata"]["name"],
                crd_version=entry,
            )


def _custom_subresources(group: str, entry: Mapping[str, Any], kind: str) -> dict[str, Subresource]:
    found = {}
    asked = entry.get("subresources") or {}
    if asked.get("status") is not None:
        found["status"] = Subresource(name="status", group=group, version=entry["name"], kind=kind, verbs=_SUB_VERBS)
    if asked.get("scale") is not None:
        found["scale"] = Subresource(name="scale", group="autoscaling", version="v1", kind="Scale", verbs=_SUB_VERBS)
    return found
