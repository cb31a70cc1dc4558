"""Nobody gives away rights that he does not hold: the check on roles and bindings that are written.

Rule 1: who has the verb `escalate` on roles, or `bind` on the role that a binding names, is not asked further.
Rule 2: the words are those of a kube-apiserver 1.36 (`k8s.io/kubernetes/pkg/registry/rbac`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from testinfra.kubernetes.fake import rbac
from testinfra.kubernetes.fake.call import Call
from testinfra.kubernetes.fake.status_errors import forbidden, not_found
from testinfra.kubernetes.fake.store import Object

_FIELDS = (
    ("apiGroups", "APIGroups"),
    ("resources", "Resources"),
    ("resourceNames", "ResourceNames"),
    ("nonResourceURLs", "NonResourceURLs"),
    ("verbs", "Verbs"),
)


def check(call: Call, content: Object, before: Object | None = None) -> None:
    """Refuse (403) a role or a binding of more rights than the caller's own; anything else is let pass."""
    if call.kind.group != rbac.GROUP or "system:masters" in call.user.groups:
        return
    if "roleRef" in content:
        if before is None or before.get("roleRef") != content["roleRef"]:
            _check_binding(call, content)
    elif (before or {}).get("rules") != content.get("rules") and not _may(call, "escalate", call.kind.plural, ""):
        _refuse_more(call, content, content.get("rules") or ())


def _check_binding(call: Call, content: Object) -> None:
    reference = content["roleRef"]
    plural = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
    name = reference.get("name", "")
    if _may(call, "bind", plural, name):
        return
    namespace = call.namespace if plural == "roles" else ""
    role = call.world.store.get(rbac.GROUP, plural, namespace, name)
    if role is None:
        raise not_found(call.kind, name)
    _refuse_more(call, content, role.get("rules") or ())


def _may(call: Call, verb: str, resource: str, name: str) -> bool:
    asked = rbac.Attributes(
        user=call.user, verb=verb, group=rbac.GROUP, resource=resource, name=name, namespace=call.namespace
    )
    return call.world.authorizer.allowed(asked)


def _refuse_more(call: Call, content: Object, rules: Sequence[Mapping[str, Any]]) -> None:
    single = [one for rule in rules for one in _apart(rule)]
    missing = call.world.authorizer.ungranted(call.user, call.namespace, single)
    if missing:
        groups = " ".join(map(json.dumps, call.user.groups))
        told = "\n".join(sorted(map(_told, missing)))
        why = f'user "{call.user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held'
        raise forbidden(call.kind, content["metadata"].get("name", ""), f"{why}:\n{told}")


def _apart(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Take a rule apart by group and resource, as the message shows it."""
    if rule.get("nonResourceURLs"):
        yield rule
        return
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            yield {**rule, "apiGroups": [group], "resources": [resource]}


def _told(rule: Mapping[str, Any]) -> str:
    parts = [f"{shown}:[{' '.join(map(json.dumps, rule[key]))}]" for key, shown in _FIELDS if rule.get(key)]
    return f"{{{', '.join(parts)}}}"
