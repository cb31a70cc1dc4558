"""The calls of the API.

Rule 1: what is read is what the last discovery of this process found; before the first one it is 503.
Rule 2: the routes are the same for every app: `app.state.rounds` is what they answer from, `app.state.callers` who may.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from starlette.requests import Request

from servicekit import ProblemError, problem_responses
from servicekit.cluster_errors import ClusterError
from toolset import models, published
from toolset.callers import ForKnown, unavailable
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


ROUTES = APIRouter(prefix="/api/v1", tags=["toolsets"], route_class=ForKnown)


async def _of_app(request: Request) -> Rounds:
    rounds: Rounds = request.app.state.rounds
    return rounds


OfApp = Annotated[Rounds, Depends(_of_app)]


def _said(*problems: int) -> dict[str, Any]:
    """Return what the OpenAPI document says of a call, whose answer may be one of these problems."""
    responses = problem_responses(401, 503, *problems)
    responses[401]["headers"] = {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}}
    return {"responses": responses, "openapi_extra": {"security": [{"bearer": []}]}}


@ROUTES.get("/toolsets", **_said())
async def toolsets(rounds: OfApp, asked: Annotated[models.ToolsetFilter, Query()]) -> models.Toolsets:
    """List the tools, by namespace and name."""
    latest = _latest(rounds)
    every = (models.toolset(tool, latest.found) for tool in latest.found.tools)
    return models.Toolsets(toolsets=[each for each in every if asked.takes(each)], discovered_at=latest.at)


@ROUTES.get("/toolsets/{name}", **_said(404, 409))
async def toolset(rounds: OfApp, name: str, place: Annotated[models.Place, Query()]) -> models.Toolset:
    """Return one tool."""
    latest = _latest(rounds)
    named = [tool for tool in latest.found.tools if tool.name == name and place.namespace in {None, tool.namespace}]
    if not named:
        raise ProblemError(404, detail=f"the last discovery, at {latest.at:%FT%TZ}, found no tool of this name")
    if len(named) > 1:
        namespaces = [tool.namespace for tool in named]
        detail = f"{len(named)} namespaces have a tool of this name: say which, as ?namespace={namespaces[0]}"
        raise ProblemError(409, detail=detail, kind="several-of-this-name", namespaces=namespaces)
    return models.toolset(named[0], latest.found)


@ROUTES.post("/toolsets/generate", **_said())
async def generate(rounds: OfApp) -> models.Generated:
    """Discover now, and write the ConfigMap; who asks meanwhile shares the round that follows."""
    try:
        snapshot, written = await asyncio.shield(rounds.ask())
    except ClusterError as exc:
        raise unavailable(exc) from exc
    return models.Generated(
        resource_version=written.resource_version,
        result=written.result,
        tools=len(snapshot.found.published()),
    )


@ROUTES.post("/toolsets/validate", **_said())
async def validate(document: Annotated[Any, Body(examples=[_EXAMPLE])]) -> models.Validity:
    """Tell what is wrong with a document as in the ConfigMap's `toolset.json`."""
    errors = list(islice(published.problems(document), _TOLD))
    return models.Validity(valid=not errors, errors=errors)


@ROUTES.get("/services", **_said())
async def services(rounds: OfApp, asked: Annotated[models.ServiceFilter, Query()]) -> models.DiscoveredServices:
    """List the Services that are tools, with what their health checks said."""
    latest = _latest(rounds)
    taken = [tool for tool in latest.found.tools if asked.type in {None, tool.type}]
    return models.DiscoveredServices(
        services=[models.service(tool, latest.found) for tool in taken],
        errors=list(latest.found.errors),
        discovered_at=latest.at,
    )


@ROUTES.post("/discover", status_code=202, **_said())
async def discover(rounds: OfApp) -> models.Accepted:
    """Have a discovery begin, and do not wait for it."""
    rounds.ask().add_done_callback(_seen)
    return models.Accepted()


def _latest(rounds: Rounds) -> Snapshot:
    if rounds.latest is None:
        detail = "no discovery has ended yet: the first one is under way, or its failure is in the log"
        raise ProblemError(503, detail=detail, kind="not-discovered-yet", headers={"Retry-After": "1"})
    return rounds.latest


def _seen(task: asyncio.Task[Any]) -> None:
    """Take note of a failure that is in the log already, and that nobody waits for."""
    if not task.cancelled():
        task.exception()
