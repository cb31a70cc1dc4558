"""The gateway's own metrics, in the registry of its app.

Rule: labels are bounded: types, severities, reasons and results are few words of ours, never a client's.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Seconds; 0.1 and 0.2 are bounds because the alert rules ask for them."""


class GatewayMetrics:
    """All metrics that begin with `gateway_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"gateway_{name}", what, labels, registry=registry)

        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"gateway_{name}", what, registry=registry)

        self.received = counter("alerts_received_total", "Signals that were understood", "type", "severity")
        self.deduplicated = counter("alerts_deduplicated_total", "Signals of a problem that has a resource", "type")
        self.resolved = counter("alerts_resolved_total", "Signals that say that a problem is over", "type")
        self.created = counter("crd_created_total", "RemediationRequests made", "type")
        self.failures = counter("crd_creation_failures_total", "RemediationRequests that were not made", "reason")
        self.redis = counter("redis_operations_total", "Calls to Redis", "op", "result")
        self.seconds = Histogram(
            "gateway_processing_duration_seconds",
            "Time from a signal's body to its answer",
            ["result"],
            registry=registry,
            buckets=_BUCKETS,
        )
        self.retry_attempts = counter(
            "retry_attempts_total", "Repetitions of a request to Kubernetes", "reason", "code"
        )
        self.retry_exhausted = counter("retry_exhausted_total", "Requests that were given up", "reason", "code")
        self.rejected = counter("rejected_total", "Signals turned away before they were handled", "reason")
        self.in_flight = gauge("requests_in_flight", "Requests that are being handled or wait")
        self.index_size = gauge("index_size", "RemediationRequests that are known")
        self.index_lists = counter("index_lists_total", "Times that all RemediationRequests were read")
        self.tallies = gauge("tallies_pending", "RemediationRequests with repetitions not yet written")
        self.tally_writes = counter("tally_writes_total", "Writes of gathered repetitions", "result")
        self.reviews = counter("token_reviews_total", "Tokens looked at", "result")
        self.audit_sent = counter("audit_events_sent_total", "Audit events that datastorage took")
        self.audit_dropped = counter("audit_events_dropped_total", "Audit events that were dropped", "reason")
        self.audit_waiting = gauge("audit_events_waiting", "Audit events that wait for datastorage")
        self.reloads = counter("config_reloads_total", "Times that the settings were read again", "result")
