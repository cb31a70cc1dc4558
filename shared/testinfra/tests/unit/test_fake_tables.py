"""Tables: the rows that kubectl prints."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from testinfra.kubernetes.fake import jsonpaths, tables
from testinfra.kubernetes.fake.columns import age
from testinfra.kubernetes.fake.kinds import Kind, Kinds

_NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
_META = {"name": "x", "creationTimestamp": "2026-01-02T03:00:05Z", "resourceVersion": "7"}


def _rows(kind: Kind | None, obj: dict[str, Any]) -> dict[str, Any]:
    assert kind
    found = tables.table(kind, [{"metadata": _META, **obj}], now=_NOW)
    names = [column["name"] for column in found["columnDefinitions"]]
    return dict(zip(names, found["rows"][0]["cells"], strict=True))


def _custom(*columns: dict[str, Any]) -> Kind:
    version = {"name": "v1", "served": True, "storage": True, "schema": {}, "additionalPrinterColumns": list(columns)}
    names = {"plural": "gadgets", "kind": "Gadget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return Kinds().add({"metadata": {"name": "gadgets.example.com"}, "spec": spec})[0]


@pytest.mark.parametrize(
    ("api_version", "kind", "obj", "cells"),
    [
        ("v1", "ConfigMap", {"data": {"a": "b"}, "binaryData": {"c": ""}}, {"Name": "x", "Data": 2, "Age": "4m"}),
        ("v1", "Namespace", {"status": {"phase": "Active"}}, {"Name": "x", "Status": "Active", "Age": "4m"}),
        (
            "apps/v1",
            "Deployment",
            {"spec": {"replicas": 3}, "status": {"readyReplicas": 1}},
            {"Ready": "1/3", "Up-to-date": 0},
        ),
        (
            "v1",
            "Service",
            {
                "spec": {
                    "type": "NodePort",
                    "ports": [{"port": 80, "nodePort": 30001, "protocol": "TCP"}],
                    "selector": {"b": "2", "a": "1"},
                }
            },
            {"Port(s)": "80:30001/TCP", "Selector": "a=1,b=2", "External-IP": "<none>"},
        ),
        (
            "v1",
            "Pod",
            {
                "spec": {"containers": [{}, {}]},
                "status": {
                    "phase": "Pending",
                    "containerStatuses": [
                        {"ready": True, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
                    ],
                },
            },
            {"Ready": "1/2", "Status": "CrashLoopBackOff", "Restarts": "2"},
        ),
        (
            "coordination.k8s.io/v1",
            "Lease",
            {"spec": {"holderIdentity": "me"}},
            {"Name": "x", "Holder": "me", "Age": "4m"},
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            {
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
            },
            {"Role": "Role/r", "Users": "u", "ServiceAccounts": "n/s"},
        ),
        ("rbac.authorization.k8s.io/v1", "Role", {}, {"Name": "x", "Created At": "2026-01-02T03:00:05Z"}),
        ("scheduling.k8s.io/v1", "PriorityClass", {}, {"Name": "x", "Age": "4m"}),
    ],
)
def test_a_built_in_kind_has_the_servers_columns(
    api_version: str, kind: str, obj: dict[str, Any], cells: dict[str, Any]
) -> None:
    """With what its object says."""
    assert cells.items() <= _rows(Kinds().of(api_version, kind), obj).items()


@pytest.mark.parametrize("kind", list(Kinds()), ids=repr)
def test_a_table_of_any_kind_can_be_made_of_an_empty_object(kind: Kind) -> None:
    """No cell fails for what is not there."""
    found = tables.table(kind, [{"metadata": {}}], now=_NOW)
    assert len(found["rows"][0]["cells"]) == len(found["columnDefinitions"])


def test_a_custom_kind_has_its_definitions_columns() -> None:
    """By JSONPath, in the type that it says; what is of another type is empty."""
    kind = _custom(
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status', "priority": 1},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Bad", "type": "integer", "jsonPath": ".spec.text"},
        {"name": "None", "type": "string", "jsonPath": ".spec.nothing"},
    )
    conditions = [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}]
    cells = _rows(kind, {"spec": {"size": 3, "text": "x"}, "status": {"conditions": conditions}})
    assert cells == {"Name": "x", "Size": 3, "Ready": "True", "Since": "4m", "Bad": None, "None": None}


def test_a_custom_kind_without_columns_has_its_age() -> None:
    """As kubectl prints it."""
    assert _rows(_custom(), {}) == {"Name": "x", "Age": "4m"}


@pytest.mark.parametrize(("include", "shown"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "X")])
def test_a_row_holds_as_much_of_the_object_as_was_asked(include: str, shown: str | None) -> None:
    """`includeObject` of the query."""
    kind = _custom()
    row = tables.table(kind, [{"kind": "X", "metadata": _META}], include_object=include, now=_NOW)["rows"][0]
    assert (row["object"] or {}).get("kind") == shown


def test_later_events_of_a_watch_leave_out_the_columns() -> None:
    """The first told them; the version is the object's."""
    found = tables.table(_custom(), [{"metadata": _META}], columns=False, now=_NOW)
    assert found["columnDefinitions"] is None
    assert found["metadata"] == {"resourceVersion": "7"}


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", True),
        ("application/json,application/json;as=Table;v=v1;g=meta.k8s.io", False),
        ("application/json;as=Table;v=v2;g=meta.k8s.io", False),
        ("*/*", False),
    ],
)
def test_a_table_is_given_to_who_asks_for_it_first(accept: str, wanted: bool) -> None:
    """The Accept header decides."""
    assert tables.wants_table(accept) is wanted


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (3600, "60m"),
        (10800, "3h"),
        (11100, "3h5m"),
        (30000, "8h"),
        (180000, "2d2h"),
        (800000, "9d"),
        (70000000, "2y80d"),
        (300000000, "9y"),
    ],
)
def test_an_age_is_written_as_kubectl_writes_it(seconds: int, told: str) -> None:
    """Two units while they matter, one after."""
    assert age(_NOW - dt.timedelta(seconds=seconds), _NOW) == told


_THING = {"a": {"b.c": [1, {"d": "x"}], "e": None}, "l": [{"n": "p", "v": 1}, {"n": "q", "v": 2}]}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.e", [None]),
        (".nope.deeper", []),
        (r".a.b\.c[0]", [1]),
        (".a['b.c'][1].d", ["x"]),
        (".l[*].n", ["p", "q"]),
        (".l[-1].v", [2]),
        ('.l[?(@.n=="q")].v', [2]),
        (".l[?(@.v!=1)].n", ["q"]),
        (".l[?(@.x)].n", []),
        ("{.l[0].v}", [1]),
    ],
)
def test_a_path_finds_its_values(path: str, found: list[Any]) -> None:
    """What is not there is nothing."""
    assert jsonpaths.find(path, _THING) == found


def test_a_path_that_is_none_is_an_error() -> None:
    """With the place that cannot be read."""
    with pytest.raises(ValueError, match=r"from '\[x'"):
        jsonpaths.find(".a[x", _THING)
