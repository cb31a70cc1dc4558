"""Liveness and readiness.

Rule 1: `/livez` touches nothing: a process that answers lives.
Rule 2: `/readyz` asks every dependency, all at once and each with a deadline, and names those that fail. A required one
        that fails makes it 503; an optional one (a cache) is named and leaves it 200, because taking the service out
        of the load balancer would turn a slow answer into none.
Rule 3: from the moment shutdown begins it is 503.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from servicekit.lifecycle import Lifecycle
from servicekit.problems import ProblemError


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """Something the service needs: `probe` returns when it works and raises when it does not."""

    name: str
    probe: Callable[[], Awaitable[None]]
    required: bool = True
    deadline: float = 2.0
    """Seconds that `probe` has."""


class DependencyState(BaseModel):
    """How one dependency answered."""

    status: Literal["ok", "failing"]
    required: bool
    detail: str = Field(default="", description="Why it fails")


class Readiness(BaseModel):
    """The body of `/readyz` when the service is ready; when it is not, a problem has `dependencies` as a member."""

    status: Literal["ready"] = "ready"
    dependencies: dict[str, DependencyState]


async def readiness(dependencies: Sequence[Dependency], lifecycle: Lifecycle) -> Readiness:
    """Return the state of all dependencies; raise ProblemError 503 where the service is not ready."""
    if lifecycle.draining:
        raise ProblemError(503, detail="the service is shutting down", kind="not-ready", dependencies={})
    states = await asyncio.gather(*(_state(dependency) for dependency in dependencies))
    named = {dependency.name: state for dependency, state in zip(dependencies, states, strict=True)}
    failing = {name: state for name, state in named.items() if state.required and state.status == "failing"}
    if failing:
        raise ProblemError(
            503,
            detail="; ".join(f"{name}: {state.detail}" for name, state in failing.items()),
            kind="not-ready",
            dependencies={name: state.model_dump() for name, state in named.items()},
        )
    return Readiness(dependencies=named)


async def _state(dependency: Dependency) -> DependencyState:
    try:
        async with asyncio.timeout(dependency.deadline):
            await dependency.probe()
    except TimeoutError:
        detail = f"no answer within {dependency.deadline:g} s"
    except Exception as exc:  # noqa: BLE001 - whatever a probe raises is its answer
        detail = str(exc).strip() or type(exc).__name__
    else:
        return DependencyState(status="ok", required=dependency.required)
    return DependencyState(status="failing", required=dependency.required, detail=detail)
