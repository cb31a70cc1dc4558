"""A ToolsetConfig as the API has it, and as the controller reads it.

The definition in crds/ has the defaults; an object that came by another way than through it is read with the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from toolset.detectors import TypeRules
from toolset.tools import TYPES, Json, Key

GROUP, VERSION, PLURAL = "toolset.kubernaut.io", "v1alpha1", "toolsetconfigs"
CONFIG_MAP = "kubernaut-toolset-config"
_EVERYWHERE = "*"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+)(ms|s|m|h)")


def path(namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of all ToolsetConfigs, those of a namespace, one of them, or a part of one."""
    home = f"/namespaces/{namespace}" if namespace else ""
    parts = [f"/apis/{GROUP}/{VERSION}{home}/{PLURAL}", name, subresource]
    return "/".join(part for part in parts if part)


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as 1h30m, which the definition's pattern has let through."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One ToolsetConfig; `namespaces` is () for everywhere, `config_map` is (namespace, name), times are seconds."""

    key: Key
    uid: str
    generation: int
    created: str
    interval: float
    namespaces: tuple[str, ...]
    rules: Mapping[str, TypeRules]
    check_health: bool
    timeout: float
    config_map: Key
    preserve: bool
    status: Json

    def looks_at(self, namespace: str) -> bool:
        """Tell whether the Services of `namespace` matter."""
        return not self.namespaces or namespace in self.namespaces

    @property
    def age(self) -> tuple[str, Key]:
        """What says which of two is older; never equal for two."""
        return self.created, self.key


def read(obj: Json) -> Config:
    """Return what an object of the API says."""
    meta, spec = obj["metadata"], obj.get("spec") or {}
    types, health, target = (spec.get(name) or {} for name in ("serviceTypes", "healthCheck", "configMap"))
    namespaces = tuple(spec.get("namespaces") or [_EVERYWHERE])
    return Config(
        key=(meta["namespace"], meta["name"]),
        uid=meta.get("uid", ""),
        generation=meta.get("generation", 0),
        created=meta.get("creationTimestamp") or "",
        interval=seconds(spec.get("discoveryInterval") or "5m"),
        namespaces=() if _EVERYWHERE in namespaces else namespaces,
        rules={name: _rules(types.get(name) or {}) for name in TYPES},
        check_health=health.get("enabled", True),
        timeout=seconds(health.get("timeout") or "5s"),
        config_map=(target.get("namespace") or meta["namespace"], target.get("name") or CONFIG_MAP),
        preserve=target.get("preserveOverrides", True),
        status=obj.get("status") or {},
    )


def _rules(said: Json) -> TypeRules:
    return TypeRules(
        enabled=said.get("enabled", True), labels=said.get("labels") or {}, annotations=said.get("annotations") or {}
    )
