"""Which Services are tools: five detectors, asked in the order of `TYPES`; the first that matches says what it is.

Rule 1: a well-known tool is one by its label `app` or `app.kubernetes.io/name`, by its name, or by a port; whatever
        else it is matters only for which port is taken.
Rule 2: a custom tool is what its annotations say.
Rule 3: a detector that cannot read a Service is told to the caller, and the next one is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from toolset.tools import TYPES, Json, Tool

ANNOTATION = "kubernaut.io/toolset"
"""`enabled` or `true` with a `-type` makes a Service a custom tool; `disabled` or `false` leaves any tool out."""
_LABELS = ("app", "app.kubernetes.io/name")
_VERSION = "app.kubernetes.io/version"
_ON, _OFF = ("enabled", "true"), ("disabled", "false")


class DetectorError(ValueError):
    """A Service says something of itself that cannot be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRules:
    """Whether a type is looked for, and the labels and annotations that a Service must have besides, all of them."""

    enabled: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def allow(self, service: _Service) -> bool:
        """Tell whether `service` may be of the type."""
        return (
            self.enabled
            and self.labels.items() <= service.labels.items()
            and self.annotations.items() <= service.annotations.items()
        )


ALL: Mapping[str, TypeRules] = {each: TypeRules() for each in TYPES}
OnError = Callable[[str, Exception], None]
"""Called with (type, error) where a detector failed."""


class _Service:
    """What detectors look at, read once: the object's labels and annotations may be missing or null."""

    def __init__(self, obj: Json) -> None:
        meta = obj["metadata"]
        self.name: str = meta["name"]
        self.namespace: str = meta["namespace"]
        self.labels: Mapping[str, str] = meta.get("labels") or {}
        self.annotations: Mapping[str, str] = meta.get("annotations") or {}
        self.ports: Sequence[Mapping[str, Any]] = (obj.get("spec") or {}).get("ports") or ()

    def tool(self, type_: str, endpoint: str, health_path: str, **metadata: str) -> Tool:
        if version := self.labels.get(_VERSION):
            metadata["version"] = version
        said = self.annotations.get(f"{ANNOTATION}-description")
        return Tool(
            name=self.name,
            namespace=self.namespace,
            type=type_,
            endpoint=endpoint,
            description=said or f"{metadata.get('toolset_type', type_)} {self.name} in namespace {self.namespace}",
            metadata=metadata,
            health_path=health_path,
            enabled=self.annotations.get(ANNOTATION, "").lower() not in _OFF,
        )

    def at(self, port: int) -> str:
        return f"http://{self.name}.{self.namespace}.svc.cluster.local:{port}"


@dataclass(frozen=True, slots=True)
class _WellKnown:
    """A tool that is known by its name and its port; `ports` are names and numbers, the best first."""

    type: str
    matches: tuple[str | int, ...]
    ports: tuple[str | int, ...]
    health_path: str

    def __call__(self, service: _Service) -> Tool | None:
        by = self._matched_by(service)
        if not by or not service.ports:
            return None
        return service.tool(self.type, service.at(self._port(service)), self.health_path, detected_by=by)

    def _matched_by(self, service: _Service) -> str:
        if any(service.labels.get(label) == self.type for label in _LABELS):
            return "label"
        if self.type in service.name:
            return "name"
        return "port" if any(_is(port, wanted) for port in service.ports for wanted in self.matches) else ""

    def _port(self, service: _Service) -> int:
        best = (port for wanted in self.ports for port in service.ports if _is(port, wanted))
        return int(next(best, service.ports[0])["port"])


def _is(port: Mapping[str, Any], wanted: str | int) -> bool:
    return wanted == port["port"] if isinstance(wanted, int) else wanted == port.get("name")


def _custom(service: _Service) -> Tool | None:
    said = service.annotations.get
    type_ = said(f"{ANNOTATION}-type", "").strip()
    if said(ANNOTATION, "").lower() not in _ON + _OFF or not type_:
        return None
    endpoint = said(f"{ANNOTATION}-endpoint", "").strip()
    if endpoint:
        if not is_endpoint(endpoint):
            hint = "has to be as http://host:8080 or https://host"
            raise DetectorError(f"its annotation {ANNOTATION}-endpoint is {endpoint!r}, and {hint}")
        endpoint = endpoint.rstrip("/")
    elif service.ports:
        endpoint = service.at(int(service.ports[0]["port"]))
    else:
        return None
    path = said(f"{ANNOTATION}-health-path", "").strip() or "/"
    if not path.startswith("/"):
        raise DetectorError(f"its annotation {ANNOTATION}-health-path is {path!r}, and has to begin with a slash")
    return service.tool("custom", endpoint, path, detected_by="annotation", toolset_type=type_)


def is_endpoint(text: str) -> bool:
    """Tell whether `text` is a base URL of HTTP: a host, maybe a port and a path, no login, no query."""
    try:
        parts = urlsplit(text)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and not re.search(r"[\s@?#\\]", text)


_DETECTORS: Mapping[str, Callable[[_Service], Tool | None]] = {
    "prometheus": _WellKnown("prometheus", ("web", 9090), ("web", 9090), "/-/healthy"),
    "grafana": _WellKnown("grafana", ("service", 3000), ("service", "http", 3000), "/api/health"),
    "jaeger": _WellKnown("jaeger", ("query", 16686), ("query", "ui", 16686), "/"),
    "elasticsearch": _WellKnown("elasticsearch", (9200,), ("http", "api", 9200), "/_cluster/health"),
    "custom": _custom,
}


def detect(service: Json, rules: Mapping[str, TypeRules] = ALL, on_error: OnError | None = None) -> Tool | None:
    """Return the tool that a Service (an object of the API) is, None where it is none.

    A type that `rules` does not name is looked for as it is by default. A detector that fails is told to `on_error`.
    """
    read = _Service(service)
    for type_ in TYPES:
        try:
            if rules.get(type_, ALL[type_]).allow(read) and (tool := _DETECTORS[type_](read)):
                return tool
        except Exception as exc:  # noqa: BLE001 - one Service of somebody's must not end the discovery of all others
            if on_error is not None:
                on_error(type_, exc)
    return None
