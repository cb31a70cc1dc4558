"""kopf, in a thread and an event loop of its own: it watches ToolsetConfigs and Services, and serves the webhook.

Problem: kopf takes the loop that it is run in for its own: at the end it cancels every task that began after it, in the
main thread it takes the signals, and it ends where one of its tasks fails for good (a definition that was deleted).
Solution: a loop of its own, in a thread of its own, and a new operator where one ended; events go to the loop of the
controller by `call_soon_threadsafe`, reviews by `run_coroutine_threadsafe`.
Cost: a thread.

Rule 1: kopf writes nothing: no finalizers, no annotations, no events (only `on.event` and `on.validate` handlers).
Rule 2: requests are repeated for ever, a second apart at most, so all goes on soon after the server is back.
Rule 3: it begins when the definition of ToolsetConfig is served: kopf looks only once what there is to watch.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any, Protocol

import kopf
import structlog

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset.controller import resources
from toolset.controller.metrics import ControllerMetrics
from toolset.controller.session import Sessions
from toolset.controller.settings import ControllerSettings
from toolset.controller.webhook import HANDLER, WebhookServer
from toolset.tools import Json

_PAUSES = (0.1, 0.3, 0.6)
_PAUSE = 1.0
_SERVICES = "services"
_END_HAS = 15.0
_log = structlog.get_logger(__name__)
Review = Callable[[str, Json, Json | None], Coroutine[Any, Any, tuple[str, list[str]]]]
"""Is given operation, object and old object; gives why it is refused ("" where it is not), and warnings."""


class Listener(Protocol):
    """What is told of the cluster, in its own event loop."""

    def config_changed(self, kind: str | None, obj: Json) -> None:
        """Take an event of a ToolsetConfig."""
        ...

    def service_changed(self, obj: Json) -> None:
        """Take an event of a Service."""
        ...

    def begun_anew(self) -> None:
        """Take notice that events may have been missed."""
        ...


class _ForEver:
    """Pauses without an end, each time from the first: kopf asks for an iterable."""

    def __iter__(self) -> Iterator[float]:
        yield from _PAUSES
        while True:
            yield _PAUSE


class Watches:
    """The thread, and what is known of how it fares."""

    def __init__(
        self,
        settings: ControllerSettings,
        cluster: Cluster,
        metrics: ControllerMetrics,
        *,
        webhook: WebhookServer,
        listener: Listener,
        review: Review,
        agent: str,
    ) -> None:
        """Watch for `listener`; `review` decides about ToolsetConfigs, both in the loop that calls `run`."""
        self._settings = settings
        self._cluster = cluster
        self._metrics = metrics
        self._webhook = webhook
        self._listener = listener
        self._review = review
        self._sessions = Sessions(settings.kubeconfig, agent=agent, report=self._report)
        self._listed: set[tuple[str, str]] = set()
        self._failing: dict[tuple[str, str], str] = {}
        self._home: asyncio.AbstractEventLoop | None = None
        # kopf has a line for every event and every attempt; what matters of that is said here, once.
        logging.getLogger("kopf").setLevel(logging.CRITICAL)
        wanted = settings.namespaces or ("",)
        self._wanted = {(plural, place) for plural in (resources.PLURAL, _SERVICES) for place in wanted}

    async def are_well(self) -> None:
        """Return where everything is watched; raise ConnectionError with what is not."""
        for (resource, place), why in self._failing.copy().items():
            raise ConnectionError(f"{resource}{f' in {place}' if place else ''}: {why}")
        if missing := self._wanted - self._listed:
            raise ConnectionError(f"not read yet: {', '.join(sorted({name for name, _ in missing}))}")

    async def run(self) -> None:
        """Watch until cancelled; returns when the thread has ended."""
        self._home = asyncio.get_running_loop()
        while True:
            await self._until_served()
            await self._operate()
            await asyncio.sleep(_PAUSE)

    async def _until_served(self) -> None:
        while True:
            try:
                found = await self._cluster.get(f"/apis/{resources.GROUP}/{resources.VERSION}")
                if any(each["name"] == resources.PLURAL for each in found["resources"]):
                    return
                why = ClusterError("not_found")
            except ClusterError as exc:
                why = exc
            hint = " (apply crds/ to the cluster)" if why.reason == "not_found" else ""
            self._note("get", resources.PLURAL, "", why, hint)
            await asyncio.sleep(_PAUSE)

    async def _operate(self) -> None:
        """Run one operator; returns when it ended, which it does by itself only where it failed."""
        stop, ended = threading.Event(), Future[None]()
        self._failing.clear()

        def work() -> None:
            try:
                asyncio.run(self._operator(stop))
            except BaseException as exc:  # noqa: BLE001 - raised below, in the loop of the controller
                ended.set_exception(exc)
            else:
                ended.set_result(None)

        threading.Thread(target=work, name="toolset-watches", daemon=True).start()
        waiting = asyncio.wrap_future(ended)
        try:
            await asyncio.shield(waiting)
        except Exception:  # noqa: BLE001 - kopf ends with whatever a task of it failed with
            _log.exception("watches ended, and begin anew")
            self._metrics.failures.labels("watch", "ended").inc()
        finally:
            stop.set()
            await asyncio.wait([waiting], timeout=_END_HAS)

    async def _operator(self, stop: threading.Event) -> None:
        registry = kopf.OperatorRegistry()
        for_services = kopf.on.event("", "v1", _SERVICES, registry=registry)
        for_configs = kopf.on.event(resources.GROUP, resources.VERSION, resources.PLURAL, registry=registry)
        for_reviews = kopf.on.validate(
            resources.GROUP, resources.VERSION, resources.PLURAL, id=HANDLER, registry=registry
        )
        for_login = kopf.on.login(errors=kopf.ErrorsMode.TEMPORARY, backoff=_PAUSE, registry=registry)
        for_services(self._on_service)
        for_configs(self._on_config)
        for_reviews(self._on_review)
        for_login(self._sessions.log_in)
        before = asyncio.all_tasks()
        places = self._settings.namespaces
        try:
            tasks = await kopf.spawn_tasks(
                registry=registry,
                settings=self._kopf_settings(),
                standalone=True,
                clusterwide=not places,
                namespaces=places,
                stop_flag=stop,
            )
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            stop.set()  # kopf waits for it in a thread, which would outlive the operator
            await _end_watchers()
            await kopf.run_tasks(tasks, ignored=before)
        finally:
            await self._sessions.closed()

    def _kopf_settings(self) -> kopf.OperatorSettings:
        own, timeout = kopf.OperatorSettings(), self._settings.kubernetes_timeout
        own.process.ultimate_exiting_timeout = None  # it would kill the process
        own.posting.enabled = False
        own.scanning.disabled = True
        own.admission.server = self._webhook
        own.networking.request_timeout = own.networking.connect_timeout = timeout
        own.networking.error_backoffs = _ForEver()
        own.watching.server_timeout = self._settings.watch_timeout
        own.watching.inactivity_timeout = self._settings.watch_timeout + timeout
        own.watching.client_timeout = self._settings.watch_timeout + 2 * timeout
        own.queueing.exit_timeout = own.queueing.idle_timeout = _PAUSE
        return own

    async def _on_service(self, **said: Any) -> None:
        self._tell(self._listener.service_changed, said["event"]["object"])

    async def _on_config(self, **said: Any) -> None:
        self._tell(self._listener.config_changed, said["event"]["type"], said["event"]["object"])

    async def _on_review(self, **said: Any) -> None:
        assert self._home is not None
        old = dict(said["old"]) if said["old"] is not None else None
        asked = self._review(said["operation"], dict(said["body"]), old)
        refused, remarks = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self._home))
        said["warnings"] += remarks
        if refused:
            raise kopf.AdmissionError(refused, code=HTTPStatus.FORBIDDEN)

    def _tell(self, whom: Callable[..., None], *what: Any) -> None:
        assert self._home is not None
        self._home.call_soon_threadsafe(whom, *what)

    def _report(self, verb: str, resource: str, place: str, error: ClusterError | None) -> None:
        """Take what became of a request; called in kopf's thread."""
        if error is not None:
            self._note(verb, resource, place, error)
            return
        if self._failing.pop((resource, place), None):
            _log.info("watch resumed", resource=resource, namespace=place)
        if verb == "list":
            if (resource, place) in self._listed:
                self._tell(self._listener.begun_anew)
            self._listed.add((resource, place))

    def _note(self, verb: str, resource: str, place: str, error: ClusterError, hint: str = "") -> None:
        self._metrics.failed("watch", error)
        why = f"{verb}: {error.reason}{hint}"
        if self._failing.get((resource, place)) != why:
            _log.warning("watch interrupted", verb=verb, resource=resource, namespace=place, reason=error.reason + hint)
        self._failing[resource, place] = why


async def _end_watchers() -> None:
    """End kopf's watches, before all of its tasks are.

    Where one of them failed it leaves the others, then cancels them together with what tells them to pause; one that
    waits for an answer takes that for the pause, goes on watching, and the operator never ends.
    """
    watchers = [each for each in asyncio.all_tasks() if each.get_name().startswith("watcher for ")]
    while watchers:
        for each in watchers:
            each.cancel()
        _, pending = await asyncio.wait(watchers, timeout=_PAUSE)
        watchers = list(pending)
