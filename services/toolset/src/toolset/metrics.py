"""The metrics of discovery, in the registry of the app.

Rule: labels are bounded: types, reasons and results are few words of ours, never what a Service says.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from toolset.tools import TYPES, Tool

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds: from a few tools to many that do not answer."""


class ToolsetMetrics:
    """All metrics that begin with `dynamic_toolset_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"dynamic_toolset_{name}", what, labels, registry=registry)

        self._discovered = Gauge(
            "dynamic_toolset_services_discovered", "Tools that are known now", ["type"], registry=registry
        )
        self.seconds = Histogram(
            "dynamic_toolset_discovery_duration_seconds",
            "Time of one discovery: the list, the detectors and the health checks",
            registry=registry,
            buckets=_BUCKETS,
        )
        self.errors = counter("discovery_errors_total", "Detectors that failed; kubernetes where a list did", "type")
        self.health_failures = counter(
            "health_check_failures_total", "Health checks that were not passed", "type", "reason"
        )
        self.updates = counter(
            "configmap_updates_total", "Writes of a ConfigMap: created, updated, unchanged, conflict, failed", "result"
        )
        self.drift = counter("configmap_drift_detected_total", "ConfigMaps that somebody else had changed or deleted")

    def show(self, tools: Iterable[Tool]) -> None:
        """Show these as the tools that are known now."""
        counts = Tally(tool.type for tool in tools)
        for each in TYPES:
            self._discovered.labels(each).set(counts[each])
