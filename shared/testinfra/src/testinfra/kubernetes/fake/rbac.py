"""Who may do what: RBAC, from the roles and bindings that are in the store at that moment.

Rule 1: nothing is kept: a right that is taken away is gone with the next request.
Rule 2: a role with an `aggregationRule` is the rules of the roles it selects, at once (a real cluster's controller
        writes them into it a moment later).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testinfra.kubernetes.fake.auth import User

GROUP = "rbac.authorization.k8s.io"
_Object = Mapping[str, Any]
Lister = Callable[[str, str, "str | None"], Iterable[_Object]]
_ALL = "*"
_MASTERS = "system:masters"
_ACCOUNT = "system:serviceaccount:{}:{}"


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """What a request asks for: a resource (or an object of it), or a path that is none."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    """The URL's path, for a request that is for no resource; `resource` is "" then."""

    @property
    def whole(self) -> str:
        """`pods`, `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Authorizer:
    """Answers by the roles and bindings that `lister(group, plural, namespace)` gives (namespace None: all)."""

    def __init__(self, lister: Lister) -> None:
        """Ask `lister` at each decision."""
        self._list = lister

    def allowed(self, asked: Attributes) -> bool:
        """Tell whether a request may be done."""
        return self.decide(asked)[0]

    def decide(self, asked: Attributes) -> tuple[bool, str]:
        """Tell whether a request may be done, and by which binding ("" for a master, or for nobody)."""
        if _MASTERS in asked.user.groups:
            return True, ""
        for rules, why in self._granted(asked.user, asked.namespace):
            if any(_covers(rule, asked) for rule in rules):
                return True, why
        return False, ""

    def rules(self, user: User, namespace: str) -> list[_Object]:
        """Give all rules that a user has in a namespace."""
        found = [rule for rules, _ in self._granted(user, namespace) for rule in rules]
        if _MASTERS in user.groups:
            found = [
                {"verbs": [_ALL], "apiGroups": [_ALL], "resources": [_ALL]},
                {"verbs": [_ALL], "nonResourceURLs": [_ALL]},
                *found,
            ]
        return found

    def _granted(self, user: User, namespace: str) -> Iterator[tuple[Sequence[_Object], str]]:
        scopes: list[tuple[str, str | None]] = [("clusterrolebindings", "")]
        scopes += [("rolebindings", namespace)] if namespace else []
        for plural, scope in scopes:
            for binding in self._list(GROUP, plural, scope):
                subject = next((one for one in binding.get("subjects") or () if _is(one, user)), None)
                if subject is not None:
                    yield self._rules_of(binding), _reason(binding, plural, subject)

    def _rules_of(self, binding: _Object) -> Sequence[_Object]:
        reference = binding["roleRef"]
        own = binding["metadata"].get("namespace", "")
        plural, scope = ("roles", own) if reference["kind"] == "Role" else ("clusterroles", "")
        role = next(
            (one for one in self._list(GROUP, plural, scope) if one["metadata"]["name"] == reference["name"]), None
        )
        return self._expanded(role) if role is not None else ()

    def _expanded(self, role: _Object) -> Sequence[_Object]:
        selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
        rules: list[_Object] = list(role.get("rules") or ())
        for selector in selectors or ():
            wanted = (selector.get("matchLabels") or {}).items()
            for one in self._list(GROUP, "clusterroles", ""):
                if wanted and wanted <= (one["metadata"].get("labels") or {}).items():
                    rules.extend(self._expanded(one))
        return rules

    def ungranted(self, user: User, namespace: str, rules: Iterable[_Object]) -> list[_Object]:
        """Give those of some rules that a user does not hold: what nobody may put into a role without `escalate`."""
        held = self.rules(user, namespace)
        return [rule for rule in rules if not all(any(_holds(one, each) for one in held) for each in _single(rule))]


def _is(subject: _Object, user: User) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "ServiceAccount":
        return user.name == _ACCOUNT.format(subject.get("namespace", ""), name)
    return name == user.name if kind == "User" else kind == "Group" and name in user.groups


def _reason(binding: _Object, plural: str, subject: _Object) -> str:
    meta, role = binding["metadata"], binding["roleRef"]
    if plural == "rolebindings":
        called = f'RoleBinding "{meta["name"]}/{meta["namespace"]}"'
    else:
        called = f'ClusterRoleBinding "{meta["name"]}"'
    name = subject["name"]
    if subject["kind"] == "ServiceAccount":
        name = f"{name}/{subject.get('namespace', '')}"
    return f'RBAC: allowed by {called} of {role["kind"]} "{role["name"]}" to {subject["kind"]} "{name}"'


def _covers(rule: _Object, asked: Attributes) -> bool:
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if not asked.resource:
        return any(_on_path(pattern, asked.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("apiGroups"), asked.group)
        and _names_resource(rule.get("resources") or (), asked.whole, asked.subresource)
        and (not names or asked.name in names)
    )


def _has(known: Sequence[str] | None, wanted: str) -> bool:
    return known is not None and (_ALL in known or wanted in known)


def _on_path(pattern: str, path: str) -> bool:
    return pattern in {_ALL, path} or (pattern.endswith(_ALL) and path.startswith(pattern[:-1]))


def _names_resource(known: Sequence[str], whole: str, subresource: str) -> bool:
    return _ALL in known or whole in known or bool(subresource and f"*/{subresource}" in known)


def _single(rule: _Object) -> Iterator[_Object]:
    """Take a rule apart: one verb and one group, resource and name (or path) each."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [path]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    one = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                    yield one | ({"resourceNames": [name]} if name else {})


def _holds(held: _Object, wanted: _Object) -> bool:
    """Tell whether a rule grants all that a single one (of `_single`) does."""
    if not _has(held.get("verbs"), wanted["verbs"][0]):
        return False
    if "nonResourceURLs" in wanted:
        return any(_on_path(pattern, wanted["nonResourceURLs"][0]) for pattern in held.get("nonResourceURLs") or ())
    resource = wanted["resources"][0]
    names = held.get("resourceNames") or ()
    return (
        _has(held.get("apiGroups"), wanted["apiGroups"][0])
        and _names_resource(held.get("resources") or (), resource, resource.partition("/")[2])
        and (not names or (wanted.get("resourceNames") or [""])[0] in names)
    )


def forbidden(asked: Attributes) -> dict[str, Any]:
    """Give the Status (403) of a request that may not be done."""
    if not asked.resource:
        told = f'forbidden: User "{asked.user.name}" cannot {asked.verb} path "{asked.path}"'
        details: dict[str, str] = {}
    else:
        qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
        subject = f'{qualified} "{asked.name}"' if asked.name else qualified
        where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        told = (
            f'{subject} is forbidden: User "{asked.user.name}" cannot {asked.verb} resource "{asked.whole}" in API '
            f'group "{asked.group}" {where}'
        )
        details = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": told,
        "reason": "Forbidden",
        "details": {key: value for key, value in details.items() if value},
        "code": 403,
    }
