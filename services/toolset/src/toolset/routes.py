"""The calls of the API.

Rule: what is read is what the last discovery of this process found; before the first one it is 503.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from servicekit import JsonRoute, ProblemError, problem_responses
from servicekit.cluster_errors import ClusterError
from toolset import models, published
from toolset.callers import unavailable
from toolset.rounds import Rounds, Snapshot

_TOLD = 100
"""Problems of one document that are told at most."""
_EXAMPLE = {
    "tools": [
        {
            "name": "grafana",
            "type": "grafana",
            "endpoint": "http://grafana.monitoring.svc.cluster.local:3000",
            "description": "Dashboards of the platform team",
            "namespace": "monitoring",
            "metadata": {"detected_by": "label"},
        }
    ]
}


class ToolsetRoutes:
    """The calls, as methods."""

    def __init__(self, rounds: Rounds, route_class: type[JsonRoute]) -> None:
        """Answer from `rounds`."""
        self._rounds = rounds
        self._route_class = route_class

    def add_to(self, router: APIRouter) -> None:
        """Add the calls to the app's own router; to include one of their own makes each of them twice."""

        def add(method: str, path: str, handle: Callable[..., Any], *problems: int, status: int = 200) -> None:
            responses = problem_responses(401, 503, *problems)
            responses[401]["headers"] = {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}}
            router.add_api_route(
                f"/api/v1{path}",
                handle,
                tags=["toolsets"],
                route_class_override=self._route_class,
                methods=[method],
                status_code=status,
                responses=responses,
                openapi_extra={"security": [{"bearer": []}]},
            )

        add("GET", "/toolsets", self.toolsets)
        add("GET", "/toolsets/{name}", self.toolset, 404, 409)
        add("POST", "/toolsets/generate", self.generate)
        add("POST", "/toolsets/validate", self.validate)
        add("GET", "/services", self.services)
        add("POST", "/discover", self.discover, status=202)

    async def toolsets(self, asked: Annotated[models.ToolsetFilter, Query()]) -> models.Toolsets:
        """List the tools, by namespace and name."""
        latest = self._latest()
        every = (models.toolset(tool, latest.found) for tool in latest.found.tools)
        return models.Toolsets(toolsets=[each for each in every if asked.takes(each)], discovered_at=latest.at)

    async def toolset(self, name: str, place: Annotated[models.Place, Query()]) -> models.Toolset:
        """Return one tool."""
        latest = self._latest()
        named = [tool for tool in latest.found.tools if tool.name == name and place.namespace in {None, tool.namespace}]
        if not named:
            raise ProblemError(404, detail=f"the last discovery, at {latest.at:%FT%TZ}, found no tool of this name")
        if len(named) > 1:
            namespaces = [tool.namespace for tool in named]
            detail = f"{len(named)} namespaces have a tool of this name: say which, as ?namespace={namespaces[0]}"
            raise ProblemError(409, detail=detail, kind="several-of-this-name", namespaces=namespaces)
        return models.toolset(named[0], latest.found)

    async def services(self, asked: Annotated[models.ServiceFilter, Query()]) -> models.DiscoveredServices:
        """List the Services that are tools, with what their health checks said."""
        latest = self._latest()
        taken = [tool for tool in latest.found.tools if asked.type in {None, tool.type}]
        return models.DiscoveredServices(
            services=[models.service(tool, latest.found) for tool in taken],
            errors=list(latest.found.errors),
            discovered_at=latest.at,
        )

    async def generate(self) -> models.Generated:
        """Discover now, and write the ConfigMap; who asks meanwhile shares the round that follows."""
        try:
            snapshot, written = await asyncio.shield(self._rounds.ask())
        except ClusterError as exc:
            raise unavailable(exc) from exc
        return models.Generated(
            resource_version=written.resource_version,
            result=written.result,
            tools=len(snapshot.found.published()),
        )

    async def discover(self) -> models.Accepted:
        """Have a discovery begin, and do not wait for it."""
        self._rounds.ask().add_done_callback(_seen)
        return models.Accepted()

    async def validate(self, document: Annotated[Any, Body(examples=[_EXAMPLE])]) -> models.Validity:
        """Tell what is wrong with a document as in the ConfigMap's `toolset.json`."""
        errors = list(islice(published.problems(document), _TOLD))
        return models.Validity(valid=not errors, errors=errors)

    def _latest(self) -> Snapshot:
        if self._rounds.latest is None:
            detail = "no discovery has ended yet: the first one is under way, or its failure is in the log"
            raise ProblemError(503, detail=detail, kind="not-discovered-yet", headers={"Retry-After": "1"})
        return self._rounds.latest


def _seen(task: asyncio.Task[Any]) -> None:
    """Take note of a failure that is in the log already, and that nobody waits for."""
    if not task.cancelled():
        task.exception()
