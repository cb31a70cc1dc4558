"""Service accounts with just the rights that a test names, and their tokens.

Rule: an account is given out when the server's authorizer knows its rights; until then its requests would be refused.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.kubernetes.workplace import Workplace
from testinfra.servers.ready import wait_until

Rule = Mapping[str, Sequence[str]]
"""An RBAC rule, as in a Role: `{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}`."""

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_GROUP = "rbac.authorization.k8s.io"
_SECONDS = 3600
_KEYS = {"apiGroups", "resources", "verbs", "resourceNames", "nonResourceURLs"}
_numbers = itertools.count(1)


class Accounts:
    """Makes the accounts of one namespace; they go with it, but for what `cluster_rules` made (see `close`)."""

    def __init__(self, rest: Rest, namespace: Cluster, workplace: Workplace) -> None:
        """Make accounts in `namespace` through `rest`, an administrator's; kubeconfig files go into `workplace`."""
        self._rest = rest
        self._namespace = namespace
        self._workplace = workplace
        self._cluster_wide: list[str] = []

    def make(self, rules: Sequence[Rule] = (), *, cluster_rules: Sequence[Rule] = (), name: str = "") -> Cluster:
        """Make an account that may do `rules` in the namespace and `cluster_rules` everywhere, and nothing else.

        Gives an endpoint with its token, which is good for an hour. Raises `Misconfigured` for what is no rule.
        """
        for rule in [*rules, *cluster_rules]:
            _check(rule)
        name = name or f"account-{next(_numbers)}"
        home = self._namespace.namespace
        core = f"/api/v1/namespaces/{home}/serviceaccounts"
        self._rest.post(core, {"metadata": {"name": name}})
        if rules:
            self._grant("Role", f"{_RBAC}/namespaces/{home}", name, name, rules)
        if cluster_rules:
            wide = f"{home}:{name}"
            self._cluster_wide.append(wide)
            self._grant("ClusterRole", _RBAC, wide, name, cluster_rules)
        said = self._rest.post(f"{core}/{name}/token", {"spec": {"expirationSeconds": _SECONDS}})
        identity = dataclasses.replace(
            self._namespace, token=said["status"]["token"], cert_file="", key_file="", kubeconfig=""
        )
        made = self._workplace.written(identity, f"{home}.{name}")
        with Rest(made) as rest:
            if rules:
                await_right(rest, rules[-1], home)
            if cluster_rules:
                await_right(rest, cluster_rules[-1])
        return made

    def _grant(self, kind: str, path: str, name: str, account: str, rules: Sequence[Rule]) -> None:
        home = self._namespace.namespace
        plural = kind.lower() + "s"
        self._rest.post(f"{path}/{plural}", {"metadata": {"name": name}, "rules": list(rules)})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
        }
        self._rest.post(f"{path}/{kind.lower()}bindings", binding)

    def close(self) -> None:
        """Remove what does not go with the namespace."""
        for name in self._cluster_wide:
            for plural in ("clusterrolebindings", "clusterroles"):
                try:
                    self._rest.delete(f"{_RBAC}/{plural}/{name}")
                except ApiError as exc:
                    if exc.reason != "NotFound":
                        raise
        self._cluster_wide.clear()


def _check(rule: Rule) -> None:
    unknown = set(rule) - _KEYS
    if unknown or not rule.get("verbs") or any(isinstance(value, str) for value in rule.values()):
        raise Misconfigured(
            f"{dict(rule)!r} is no RBAC rule",
            cause=f"unknown keys: {', '.join(sorted(unknown))}" if unknown else "verbs are missing, or a list is a str",
            next_step='service_account([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}])',
        )


def await_right(rest: Rest, rule: Rule, namespace: str = "", *, allowed: bool = True, within: float = 10.0) -> None:
    """Wait until the authorizer allows `rest` the first thing that `rule` names, or refuses it.

    It reads roles and bindings through watches of its own: what was bound a moment ago, it may not know yet. Raises
    `NotReady` after `within` seconds.
    """
    wait_until(
        lambda: rest.post(_REVIEWS, {"spec": question(rule, namespace)})["status"]["allowed"] is allowed,
        what=f"the server {'allows' if allowed else 'refuses'} {dict(rule)}",
        timeout=within,
    )


def question(rule: Rule, namespace: str) -> dict[str, Any]:
    """Give the attributes by which a SelfSubjectAccessReview asks for the first thing that `rule` allows."""
    if rule.get("nonResourceURLs"):
        return {"nonResourceAttributes": {"path": rule["nonResourceURLs"][0], "verb": rule["verbs"][0]}}
    resource, _, subresource = rule["resources"][0].partition("/")
    attributes = {
        "namespace": namespace,
        "group": rule.get("apiGroups", [""])[0],
        "resource": resource,
        "subresource": subresource,
        "verb": rule["verbs"][0],
        "name": next(iter(rule.get("resourceNames", ())), ""),
    }
    return {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
