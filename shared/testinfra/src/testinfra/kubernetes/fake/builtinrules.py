"""What a server refuses in objects of the built-in kinds: the everyday rules, in its words.

Rule 1: what is refused here is refused by a real server; the other way round is not promised (its rules are thousands).
Rule 2: only `enum` is taken from the schemas: `required` in OpenAPI tells how Go writes a field, not what is required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from testinfra.kubernetes.fake import metadata
from testinfra.kubernetes.fake.causes import Cause, shown
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.schema import Schema, parts

_Object = Mapping[str, Any]
_CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_KEY_CHARACTERS = frozenset("-._abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_PORTS = range(1, 65536)
_MOST_DATA = 1024 * 1024
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_IMMUTABLE = "field is immutable"
_SUBJECTS = ("ServiceAccount", "User", "Group")
# What of a pod's spec an update may change.
_POD_OPEN = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates", "nodeSelector")
_POD_CLOSED = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate(kind: Kind, new: _Object, old: _Object | None) -> list[Cause]:
    """Say what is wrong with an object to be created, or (with `old`) to take another's place; metadata apart."""
    found = list(_enums(kind.schema, new, ""))
    rules = _RULES.get(kind.key)
    return found + list(rules(new, old)) if rules else found


def required(at: str, told: str = "") -> Cause:
    """A field that is missing."""
    return Cause("FieldValueRequired", f"Required value: {told}" if told else "Required value", at)


def invalid(at: str, value: Any, told: str) -> Cause:
    """A field that has a wrong value."""
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {told}", at)


def _forbidden(at: str, told: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {told}", at)


def _unsupported(at: str, value: str, known: Sequence[str]) -> Cause:
    told = f"Unsupported value: {shown(value)}: supported values: {', '.join(map(shown, known))}"
    return Cause("FieldValueNotSupported", told, at)


def _enums(schema: Schema, value: Any, at: str) -> Iterator[Cause]:
    if schema.get("enum") and isinstance(value, str) and value and value not in schema["enum"]:
        yield _unsupported(at, value, sorted(schema["enum"]))
    for key, part, step in parts(schema, value):
        yield from _enums(part, value[key], f"{at}{step}".removeprefix("."))


def _keys(at: str, data: Mapping[str, Any]) -> Iterator[Cause]:
    for key in data:
        if not key or set(key) - _KEY_CHARACTERS:
            yield invalid(f"{at}[{key}]", key, _CONFIG_KEY)


def _frozen(new: _Object, old: _Object | None, fields: tuple[str, ...]) -> Iterator[Cause]:
    """The fields of a config map or secret that was made immutable."""
    if old and old.get("immutable"):
        told = "field is immutable when `immutable` is set"
        if not new.get("immutable"):
            yield _forbidden("immutable", told)
        yield from (_forbidden(at, told) for at in fields if (new.get(at) or {}) != (old.get(at) or {}))


def _decoded_size(text: str) -> int:
    """The bytes that a base64 text stands for."""
    return len(text) * 3 // 4 - text.endswith("=") - text.endswith("==")


def _too_long(at: str) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {_MOST_DATA} bytes", at)


def _config_map(new: _Object, old: _Object | None) -> Iterator[Cause]:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    yield from _frozen(new, old, ("data", "binaryData"))
    yield from _keys("data", data)
    for key in data.keys() & binary.keys():
        yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    yield from _keys("binaryData", binary)
    if sum(map(len, data.values())) + sum(map(_decoded_size, binary.values())) > _MOST_DATA:
        yield _too_long("[]")


def _secret(new: _Object, old: _Object | None) -> Iterator[Cause]:
    if old and new.get("type") != old.get("type"):
        yield invalid("type", new.get("type"), _IMMUTABLE)
    yield from _frozen(new, old, ("data",))
    data = new.get("data") or {}
    yield from _keys("data", data)
    if sum(map(_decoded_size, data.values())) > _MOST_DATA:
        yield _too_long("data")
    yield from (required(f"data[{key}]") for key in _NEEDED.get(new.get("type", ""), ()) if key not in data)


def _service(new: _Object, old: _Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield required(f"{at}.name")
        for field in ("port", "targetPort"):
            number = port.get(field)
            if isinstance(number, int) and number not in _PORTS:
                yield invalid(f"{at}.{field}", number, "must be between 1 and 65535, inclusive")
    before = (old or {}).get("spec") or {}
    named = "ExternalName" in {spec.get("type"), before.get("type")}
    if before.get("clusterIP") and not named and spec.get("clusterIP") != before["clusterIP"]:
        yield invalid("spec.clusterIPs[0]", spec.get("clusterIPs"), "may not change once set")


def _containers(spec: _Object, at: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{at}.containers")
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or []):
            here, name = f"{at}.{field}[{index}]", container.get("name", "")
            if not name:
                yield required(f"{here}.name")
            elif metadata.label_name(name):
                yield from (invalid(f"{here}.name", name, told) for told in metadata.label_name(name))
            elif name in seen:
                yield Cause("FieldValueDuplicate", f"Duplicate value: {shown(name)}", f"{here}.name")
            seen.add(name)
            if not container.get("image"):
                yield required(f"{here}.image")


def _pod(new: _Object, old: _Object | None) -> Iterator[Cause]:
    yield from _containers(new.get("spec") or {}, "spec")
    if old and _closed(new) != _closed(old):
        yield _forbidden("spec", _POD_CLOSED)


def _closed(pod: _Object) -> dict[str, Any]:
    spec = {key: value for key, value in (pod.get("spec") or {}).items() if key not in _POD_OPEN}
    for field in ("containers", "initContainers"):
        inside = spec.get(field) or []
        spec[field] = [{key: value for key, value in one.items() if key != "image"} for one in inside]
    return spec


def _selects(selector: _Object, labels: _Object) -> bool:
    told = selector.get("matchExpressions") or ()
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(_meets(one, labels) for one in told)


def _meets(expression: _Object, labels: _Object) -> bool:
    value, values = labels.get(expression.get("key", "")), expression.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(expression.get("operator", ""), False)


def _workload(new: _Object, old: _Object | None) -> Iterator[Cause]:
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet."""
    spec = new.get("spec") or {}
    if (spec.get("replicas") or 0) < 0:
        yield invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    selector, template = spec.get("selector") or {}, spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if old and selector != ((old.get("spec") or {}).get("selector") or {}):
        yield invalid("spec.selector", selector, _IMMUTABLE)
    if not selector:
        yield required("spec.selector")
    if not selector or not _selects(selector, labels or {}):
        told = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", labels, told)
    yield from _containers(template.get("spec") or {}, "spec.template.spec")


def _job(new: _Object, old: _Object | None) -> Iterator[Cause]:
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    yield from _job_pods(spec, "spec")
    if before and not spec.get("suspend") and spec.get("template") != before.get("template"):
        yield invalid("spec.template", spec.get("template"), _IMMUTABLE)
    if before and spec.get("selector") != before.get("selector"):
        yield invalid("spec.selector", spec.get("selector"), _IMMUTABLE)


def _job_pods(spec: _Object, at: str) -> Iterator[Cause]:
    pods = (spec.get("template") or {}).get("spec") or {}
    yield from _containers(pods, f"{at}.template.spec")
    if pods.get("restartPolicy") not in {"OnFailure", "Never"}:
        yield Cause(
            "FieldValueRequired",
            'Required value: valid values: "OnFailure", "Never"',
            f"{at}.template.spec.restartPolicy",
        )


def _cron_job(new: _Object, _: _Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if not spec.get("schedule"):
        yield required("spec.schedule")
    yield from _job_pods((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def _role(new: _Object, _: _Object | None) -> Iterator[Cause]:
    namespaced = new.get("kind") == "Role"
    for index, rule in enumerate(new.get("rules") or []):
        at = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{at}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if namespaced:
                told = "namespaced rules cannot apply to non-resource URLs"
                yield invalid(f"{at}.nonResourceURLs", rule["nonResourceURLs"], told)
            continue
        for field, told in (
            ("apiGroups", "resource rules must supply at least one api group"),
            ("resources", "resource rules must supply at least one resource"),
        ):
            if not rule.get(field):
                yield required(f"{at}.{field}", told)


def _binding(new: _Object, old: _Object | None) -> Iterator[Cause]:
    role = new.get("roleRef") or {}
    kinds = ("Role", "ClusterRole") if new.get("kind") == "RoleBinding" else ("ClusterRole",)
    if role.get("kind") not in kinds:
        yield _unsupported("roleRef.kind", role.get("kind", ""), kinds)
    if not role.get("name"):
        yield required("roleRef.name")
    if old and role != old.get("roleRef"):
        yield invalid("roleRef", role, "cannot change roleRef")
    for index, subject in enumerate(new.get("subjects") or []):
        if not subject.get("name"):
            yield required(f"subjects[{index}].name")
        if subject.get("kind") not in _SUBJECTS:
            yield _unsupported(f"subjects[{index}].kind", subject.get("kind", ""), _SUBJECTS)
        elif subject["kind"] == "ServiceAccount" and len(kinds) == 1 and not subject.get("namespace"):
            yield required(f"subjects[{index}].namespace")


def _lease(new: _Object, _: _Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        yield invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if (spec.get("leaseTransitions") or 0) < 0:
        yield invalid("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0")


def _claim(new: _Object, _: _Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield required("spec.resources[storage]")


_RULES: Mapping[tuple[str, str], Callable[[_Object, _Object | None], Iterator[Cause]]] = {
    ("", "configmaps"): _config_map,
    ("", "secrets"): _secret,
    ("", "services"): _service,
    ("", "pods"): _pod,
    ("", "persistentvolumeclaims"): _claim,
    ("apps", "deployments"): _workload,
    ("apps", "replicasets"): _workload,
    ("apps", "statefulsets"): _workload,
    ("apps", "daemonsets"): _workload,
    ("batch", "jobs"): _job,
    ("batch", "cronjobs"): _cron_job,
    ("coordination.k8s.io", "leases"): _lease,
    ("rbac.authorization.k8s.io", "roles"): _role,
    ("rbac.authorization.k8s.io", "clusterroles"): _role,
    ("rbac.authorization.k8s.io", "rolebindings"): _binding,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): _binding,
}
