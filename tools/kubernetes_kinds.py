"""Write the built-in kinds that the fake API server knows, as a real one tells them: discovery, schemas, first roles.

Run it against a fresh kube-apiserver of the wanted version (nothing else may have made roles in it):

    KUBECONFIG=... python tools/kubernetes_kinds.py

Rule 1: facts only. Descriptions and request bodies are left out; nothing is added that the server did not say.
Rule 2: one resource, definition or role a line, in a steady order, so that a new version is a readable change.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent.parent / "shared/testinfra/src/testinfra/kubernetes/fake/data"
_GROUPS = {
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
}
_LEFT_OUT = {"bindings", "componentstatuses", "ipaddresses", "servicecidrs"}  # they do nothing without a cluster
_SUBRESOURCES = {"status", "scale", "token", "finalize", "eviction"}
_PREFIX = "#/components/schemas/"


def ask(path: str) -> Any:
    """Read one address of the server that KUBECONFIG names."""
    command = ["kubectl", "get", "--raw", path]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def kinds_of(group: str, version: str) -> Iterator[dict[str, Any]]:
    """Give the resources of one group and version, each with its subresources inside."""
    listed = ask(f"/apis/{group}/{version}" if group else f"/api/{version}")["resources"]
    for resource in listed:
        name = resource["name"]
        if "/" in name or name in _LEFT_OUT:
            continue
        inner = [sub for sub in listed if sub["name"].partition("/")[0] == name and "/" in sub["name"]]
        yield {
            "group": group,
            "version": version,
            "kind": resource["kind"],
            "plural": name,
            "singular": resource["singularName"],
            "shortNames": resource.get("shortNames", []),
            "categories": resource.get("categories", []),
            "namespaced": resource["namespaced"],
            "verbs": resource["verbs"],
            "storageVersionHash": resource.get("storageVersionHash", ""),
            "subresources": [
                {
                    "name": sub["name"].partition("/")[2],
                    "group": sub.get("group", group),
                    "version": sub.get("version", version),
                    "kind": sub["kind"],
                    "verbs": sub["verbs"],
                }
                for sub in inner
                if sub["name"].partition("/")[2] in _SUBRESOURCES
            ],
        }


def bare(schema: Any) -> Any:
    """Leave the descriptions out of a schema: those are texts, a property called `description` is a mapping."""
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key != "description" or isinstance(value, dict)}
    return [bare(value) for value in schema] if isinstance(schema, list) else schema


def references(schema: Any) -> Iterator[str]:
    """Give the names of all definitions that a schema mentions."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_PREFIX)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def reachable(definitions: dict[str, Any], kinds: list[dict[str, Any]]) -> dict[str, Any]:
    """Keep the definitions of these kinds, of their lists, and all that they mention."""
    wanted = {(kind["group"], kind["version"], kind["kind"] + tail) for kind in kinds for tail in ("", "List")}
    wanted |= {(sub["group"], sub["version"], sub["kind"]) for kind in kinds for sub in kind["subresources"]}
    told = "x-kubernetes-group-version-kind"
    todo = [
        name
        for name, schema in definitions.items()
        if any((of["group"], of["version"], of["kind"]) in wanted for of in schema.get(told, []))
    ]
    kept: dict[str, Any] = {}
    while todo:
        name = todo.pop()
        if name not in kept:
            kept[name] = definitions[name]
            todo.extend(references(definitions[name]))
    return kept


def write(name: str, head: dict[str, Any], parts: dict[str, list[str]]) -> None:
    """Write a JSON object: the head's fields, then each part as a list or object with one entry a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, entries in parts.items():
        opening, closing = ("{", "}") if entries and not entries[0].startswith("{") else ("[", "]")
        lines.append(f"{json.dumps(key)}: {opening}\n" + ",\n".join(entries) + f"\n{closing}")
    (_DATA / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    """Ask the server and write the files."""
    version = ask("/version")
    head = {
        "made_by": "KUBECONFIG=... python tools/kubernetes_kinds.py",
        "version": {key: version[key] for key in ("major", "minor", "gitVersion")},
    }
    served = [("", "v1")] + [
        (group["name"], entry["version"])
        for group in ask("/apis")["groups"]
        for entry in group["versions"]
        if group["name"] in _GROUPS and "alpha" not in entry["version"] and "beta" not in entry["version"]
    ]
    kinds = [kind for group, version in served for kind in kinds_of(group, version)]
    definitions: dict[str, Any] = {}
    for group, gv in served:
        document = ask(f"/openapi/v3/apis/{group}/{gv}" if group else f"/openapi/v3/api/{gv}")
        definitions |= {name: bare(schema) for name, schema in document["components"]["schemas"].items()}
    kept = reachable(definitions, kinds)
    write(
        "kinds.json",
        head,
        {
            "kinds": [json.dumps(kind) for kind in kinds],
            "definitions": [f"{json.dumps(name)}: {json.dumps(kept[name], sort_keys=True)}" for name in sorted(kept)],
        },
    )
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    roles: list[str] = []
    for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings"):
        listed = ask(f"{rbac}/{plural}")
        for item in listed["items"]:
            meta = {
                key: item["metadata"][key]
                for key in ("name", "namespace", "labels", "annotations")
                if key in item["metadata"]
            }
            typed = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
            roles.append(json.dumps({**typed, **item, "metadata": meta}))
    write("rbac.json", head, {"objects": roles})


if __name__ == "__main__":
    main()
