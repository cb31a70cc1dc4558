"""What a sender is told: the outcome of its signal, or of each of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import to_json
from starlette.responses import Response

from gateway import times
from gateway.intake import Outcome
from gateway.signals import NotTakenError, Signal
from servicekit import ProblemError
from servicekit.cluster_errors import ClusterError

_MESSAGES = {
    "created": "a RemediationRequest was made",
    "duplicate": "the problem has a RemediationRequest, and was counted",
    "resolved": "the end of the problem was noted",
}
_NOTHING = "no RemediationRequest knows of the problem, so there is nothing to end"
_RETRY_AFTER = 1
_CAMEL = ConfigDict(alias_generator=to_camel)


class Occurrences(BaseModel):
    """How often a problem was seen; by this replica's knowledge, which the resource's count may be ahead of."""

    model_config = _CAMEL

    count: int = Field(ge=0)
    first_occurrence: str | None = None
    last_occurrence: str | None = None


class SignalAnswer(BaseModel):
    """What became of one signal."""

    model_config = _CAMEL

    status: Literal["created", "duplicate", "resolved"]
    message: str
    fingerprint: str = Field(pattern="^[a-f0-9]{64}$")
    duplicate: bool
    remediation_request_name: str
    remediation_request_namespace: str
    metadata: Occurrences


class SignalResult(BaseModel):
    """What became of one signal of several: its answer, or the problem that it had."""

    code: int = Field(ge=200, le=599, description="The HTTP status it would have had alone")
    answer: SignalAnswer | None = None
    detail: str | None = None


class SignalResults(BaseModel):
    """What became of several signals, in their order; the status is that of the worst."""

    results: list[SignalResult]


@dataclass(frozen=True, slots=True)
class Taken:
    """One signal's outcome, or why it has none."""

    signal: Signal | None
    outcome: Outcome | None = None
    failure: ClusterError | NotTakenError | None = None

    @property
    def code(self) -> int:
        """The HTTP status that it has alone."""
        if self.outcome is not None:
            return HTTPStatus.CREATED if self.outcome.status == "created" else HTTPStatus.ACCEPTED
        if isinstance(self.failure, ClusterError) and not self.failure.refused_for_good:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.BAD_REQUEST

    def body(self) -> dict[str, Any]:
        """Return the outcome as a `SignalAnswer`."""
        assert self.outcome is not None
        assert self.signal is not None
        outcome, entry = self.outcome, self.outcome.entry
        last = times.write(self.signal.received) if outcome.status == "duplicate" else entry and entry.last_seen
        namespace, name = entry.key if entry else ("", "")
        return {
            "status": outcome.status,
            "message": _MESSAGES[outcome.status] if entry else _NOTHING,
            "fingerprint": self.signal.fingerprint,
            "duplicate": outcome.status == "duplicate",
            "remediationRequestName": name,
            "remediationRequestNamespace": namespace,
            "metadata": {
                "count": outcome.count,
                "firstOccurrence": entry.first_seen if entry else None,
                "lastOccurrence": last,
            },
        }


def unreachable(failure: ClusterError) -> ProblemError:
    """Return the problem that a failure of Kubernetes is to a sender: 503, or 400 where the object was refused."""
    if failure.refused_for_good:
        return ProblemError(400, detail=str(failure), kind="refused-by-kubernetes")
    seconds = math.ceil(failure.retry_after or _RETRY_AFTER)
    return ProblemError(
        503, detail=str(failure), kind=f"kubernetes-{_kind(failure.reason)}", headers={"Retry-After": str(seconds)}
    )


def _kind(reason: str) -> str:
    return reason.replace("_", "-")


def answer(taken: Sequence[Taken]) -> Response:
    """Return the response for one signal or several; raise ProblemError where the worst of them failed."""
    worst = max(each.code for each in taken)
    failed = [each for each in taken if each.failure is not None]
    if failed:
        raise _problem(taken, next(each.failure for each in failed if each.code == worst and each.failure), worst)
    body = taken[0].body() if len(taken) == 1 else {"results": [_result(each) for each in taken]}
    return Response(to_json(body), status_code=worst, media_type="application/json")


def _result(taken: Taken) -> dict[str, Any]:
    if taken.outcome is not None:
        return {"code": taken.code, "answer": taken.body()}
    return {"code": taken.code, "detail": str(taken.failure)}


def _problem(taken: Sequence[Taken], worst: ClusterError | NotTakenError, status: int) -> ProblemError:
    members: dict[str, Any] = {}
    wrong = {
        name: text
        for each in taken
        if isinstance(each.failure, NotTakenError)
        for name, text in each.failure.errors.items()
    }
    if wrong:
        members["field_errors"] = wrong
    if len(taken) > 1:
        members["results"] = [_result(each) for each in taken]
    if isinstance(worst, ClusterError):
        problem = unreachable(worst)
        return ProblemError(status, detail=problem.detail, kind=problem.kind, headers=problem.headers, **members)
    return ProblemError(status, detail=str(worst), kind="validation-error", **members)
