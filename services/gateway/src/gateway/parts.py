"""What the service is made of, and in which order it begins and ends.

Rule: at the end, what was begun is made, what was counted is written, what was noted is sent; then connections close.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.admission import Admission
from gateway.audit import Audit
from gateway.index import Index
from gateway.informer import Informer, follow
from gateway.intake import Intake
from gateway.live import Live
from gateway.metrics import GatewayMetrics
from gateway.rate_limits import RateLimits
from gateway.retries import Retries
from gateway.reviews import Reviews
from gateway.settings import GatewaySettings
from gateway.tallies import Tallies
from servicekit.background import beside
from servicekit.cluster import Cluster

_WATCHES_MISSED = 2
_CONNECTIONS_BESIDES = 16
"""For watches, counts and probes."""
_log = structlog.get_logger(__name__)


class Parts:
    """All parts of one gateway, each given what it needs."""

    def __init__(
        self, settings: GatewaySettings, load: Callable[[], GatewaySettings], registry: CollectorRegistry
    ) -> None:
        """Connect to nothing yet."""
        self.live = live = Live(settings, load)
        self.metrics = metrics = GatewayMetrics(registry)
        self.replica = replica = f"{int(time.time()):x}-{secrets.token_hex(3)}"
        self.admission = admission = Admission(live, metrics)
        connections = settings.max_in_flight + _CONNECTIONS_BESIDES
        self.cluster = cluster = Cluster(
            settings.kubeconfig,
            agent=f"kubernaut-gateway/{version('gateway')}",
            timeout=lambda: live.settings.kubernetes_timeout,
            connections=connections,
        )
        self.index = index = Index(stale_after=_WATCHES_MISSED * settings.watch_timeout)
        self.redis = _redis(settings)
        self.limits = RateLimits(self.redis, live, metrics, key_prefix=settings.redis_key_prefix)
        self.audit = Audit(settings, metrics, replica=replica)
        retries = Retries(live, metrics)
        self.reviews = Reviews(cluster, retries, live, admission, metrics)
        self.tallies = Tallies(cluster, index, retries, live, metrics, replica=replica)
        self.intake = Intake(
            cluster=cluster,
            index=index,
            tallies=self.tallies,
            retries=retries,
            live=live,
            room=admission,
            namespaces=settings.namespaces,
            replica=replica,
        )

    def reload(self) -> bool:
        """Read the settings again, as on SIGHUP; False where they are wrong."""
        taken = self.live.reload()
        self.metrics.reloads.labels("taken" if taken else "refused").inc()
        return taken

    async def index_is_fresh(self) -> None:
        """Return where what is known of the cluster is of now; raise ConnectionError where not."""
        if not self.index.fresh:
            raise ConnectionError("the RemediationRequests are not known, or not lately")

    async def redis_answers(self) -> None:
        """Return when Redis answers."""
        await self.redis.ping()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the context lasts."""
        async with self.redis, beside(follow(self._informers()), self.tallies.run(), self.audit.run()):
            yield
            await self.intake.finish()
            if lost := await self.tallies.flush():
                _log.error("repetitions lost: Kubernetes did not take them in time", count=lost)
        await self.audit.flush()
        await self.cluster.close()

    def _informers(self) -> list[Informer]:
        settings = self.live.settings
        scopes = sorted({*settings.namespaces, settings.fallback_namespace}) if settings.namespaces else [""]
        self.index.expect(scopes)
        return [
            Informer(self.cluster, self.index, self.metrics, scope=scope, watch_timeout=settings.watch_timeout)
            for scope in scopes
        ]


def _redis(settings: GatewaySettings) -> Redis:
    """Return a client that never tries again, as a slow limit is none."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        retry=Retry(NoBackoff(), 0),
    )
