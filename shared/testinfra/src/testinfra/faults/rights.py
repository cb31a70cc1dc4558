"""Rights taken away from a service account for a while: what its Role said before, it says again afterwards.

Rule 1: only the account's own roles are changed: the Role of its name, and the ClusterRole `<namespace>:<name>`
        (see `testinfra.kubernetes.accounts`). A right that it has from elsewhere cannot be taken, and that is an error.
Rule 2: each right proves itself: the server is asked, under the account's token, until it says no; afterwards, yes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured
from testinfra.kubernetes.accounts import Rule, await_right
from testinfra.kubernetes.rest import NOT_FOUND, ApiError, Rest

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_ACCOUNT = "system:serviceaccount:"
_WITHIN = 10.0
"""Seconds for the authorizer to take notice: it reads roles through a watch of its own."""


def who(rest: Rest) -> Mapping[str, Any]:
    """Ask the server whom it takes `rest` for: `username` and `groups`."""
    said: Mapping[str, Any] = rest.post(_WHO, {"metadata": {}})["status"]["userInfo"]
    return said


@dataclass(frozen=True, kw_only=True)
class Right:
    """The least that RBAC can allow: one verb on one resource (of one name, if there is one), or on one URL."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    url: str = ""

    @classmethod
    def of(cls, rule: Rule) -> Iterator[Self]:
        """Give each right that `rule` allows."""
        for verb in rule["verbs"]:
            for url in rule.get("nonResourceURLs", ()):
                yield cls(verb=verb, url=url)
            for group in rule.get("apiGroups", ()):
                for resource in rule.get("resources", ()):
                    for name in rule.get("resourceNames") or [""]:
                        yield cls(verb=verb, group=group, resource=resource, name=name)

    def rule(self) -> dict[str, list[str]]:
        """Give the rule that allows this right and nothing else."""
        if self.url:
            return {"verbs": [self.verb], "nonResourceURLs": [self.url]}
        names = {"resourceNames": [self.name]} if self.name else {}
        return {"verbs": [self.verb], "apiGroups": [self.group], "resources": [self.resource], **names}

    def is_in(self, rules: Sequence[Rule]) -> bool:
        """Tell whether one of `rules` covers this right."""
        return any(all(_covers(mine, theirs) for mine, theirs in self._beside(rule)) for rule in rules)

    def _beside(self, rule: Rule) -> Iterator[tuple[str, Sequence[str]]]:
        yield self.verb, rule.get("verbs", ())
        if self.url:
            yield self.url, rule.get("nonResourceURLs", ())
        else:
            yield self.group, rule.get("apiGroups", ())
            yield self.resource, rule.get("resources", ())
            yield self.name, rule.get("resourceNames") or ["*"]


def _covers(mine: str, theirs: Sequence[str]) -> bool:
    return "*" in theirs or mine in theirs


@dataclass(frozen=True, kw_only=True)
class _Role:
    """One role of the account: where it is, what it said, and what of that is taken."""

    path: str
    namespace: str
    rules: list[dict[str, Any]]
    taken: list[Right]

    def left(self) -> list[dict[str, list[str]]]:
        return [right.rule() for rule in self.rules for right in Right.of(rule) if right not in self.taken]


class Revocation:
    """Rights that are taken from the moment this is made, until the block ends or `restore`."""

    def __init__(self, admin: Rest, account: Cluster, rules: Sequence[Rule] = ()) -> None:
        """Take what `rules` cover from `account` (all that it has, without any) through `admin`."""
        self._admin = admin
        self._account = Rest(account)
        self._changed: list[_Role] = []
        try:
            self._take(rules)
        except BaseException:
            self.restore()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.restore()

    def _take(self, rules: Sequence[Rule]) -> None:
        roles = [role for role in self._roles(rules) if role.taken]
        if not roles:
            meant = [dict(rule) for rule in rules] or "all rights"
            raise Misconfigured(
                f"{who(self._account)['username']} has no right of its own that is among {meant}",
                cause="it was not given that right, or as a part of a rule with `*`, of which nothing can be taken",
                next_step="revoke(account) for all its rights, or a rule that its service_account([...]) names",
            )
        for role in roles:
            self._changed.append(role)
            self._admin.patch(role.path, {"rules": role.left()})
        self._await(allowed=False)

    def _roles(self, rules: Sequence[Rule]) -> Iterator[_Role]:
        user = who(self._account)["username"]
        if not user.startswith(_ACCOUNT):
            raise Misconfigured(f"revoke(...) takes what `service_account` gave, and this is {user}")
        namespace, name = user.removeprefix(_ACCOUNT).split(":")
        own = f"{_RBAC}/namespaces/{namespace}/roles/{name}"
        for path, home in ((own, namespace), (f"{_RBAC}/clusterroles/{namespace}:{name}", "")):
            try:
                said = self._admin.get(path)["rules"] or []
            except ApiError as exc:
                if exc.status != NOT_FOUND:
                    raise
            else:
                taken = [right for rule in said for right in Right.of(rule) if not rules or right.is_in(rules)]
                yield _Role(path=path, namespace=home, rules=said, taken=taken)

    def _await(self, *, allowed: bool) -> None:
        for role in self._changed:
            for right in role.taken:
                await_right(self._account, right.rule(), role.namespace, allowed=allowed, within=_WITHIN)

    def restore(self) -> None:
        """Give the rights back; returns when the server allows them again. Harmless when done twice."""
        for role in self._changed:
            self._admin.patch(role.path, {"rules": role.rules})
        self._await(allowed=True)
        self._changed.clear()
        self._account.close()
