"""An alert that is over: noted on the resource, and nothing is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

from gateway import resources

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

PROMETHEUS = "/api/v1/signals/prometheus"
ENDED = "2026-11-21T10:20:00.000000Z"
Json = dict[str, Any]
Make = Callable[..., Json]
Only = Callable[[], Json]
Eventually = Callable[..., None]


def _resolved(obj: Json) -> Json:
    conditions = obj["status"].get("conditions") or []
    return next((each for each in conditions if each["type"] == "Resolved"), {})


def test_the_end_of_a_problem_makes_nothing(
    client: httpx.Client, alert: Make, found: Callable[..., list[Json]]
) -> None:
    """A resolved alert that nobody knows of is answered 202, with no resource's name."""
    answer = client.post(PROMETHEUS, json=alert(status="resolved", endsAt=ENDED))
    assert answer.status_code == 202
    body = answer.json()
    assert (body["status"], body["duplicate"], body["remediationRequestName"]) == ("resolved", False, "")
    assert body["metadata"]["count"] == 0
    assert found() == []


def test_the_end_of_a_problem_is_noted_on_its_resource(
    client: httpx.Client, alert: Make, only: Only, eventually: Eventually
) -> None:
    """The resource gets the condition Resolved, true since the alert's end."""
    name = client.post(PROMETHEUS, json=alert()).json()["remediationRequestName"]
    answer = client.post(PROMETHEUS, json=alert(status="resolved", endsAt=ENDED))
    assert (answer.status_code, answer.json()["remediationRequestName"]) == (202, name)
    eventually("it is noted", lambda: _resolved(only()).get("status") == "True")
    noted = _resolved(only())
    assert (noted["lastTransitionTime"], noted["reason"]) == (ENDED, "SignalResolved")


def test_the_end_of_a_problem_is_no_occurrence(
    client: httpx.Client, alert: Make, only: Only, occurrences: Callable[[], int], eventually: Eventually
) -> None:
    """The count stays, and so does the phase: what remediates decides."""
    client.post(PROMETHEUS, json=alert())
    client.post(PROMETHEUS, json=alert(status="resolved", endsAt=ENDED))
    eventually("it is noted", lambda: _resolved(only()).get("status") == "True")
    assert occurrences() == 1
    assert only()["status"]["overallPhase"] == "Pending"


def test_a_problem_that_comes_back_is_no_longer_resolved(
    client: httpx.Client, alert: Make, only: Only, occurrences: Callable[[], int], eventually: Eventually
) -> None:
    """While the resource is ongoing, firing again is a duplicate, and the condition says so."""
    client.post(PROMETHEUS, json=alert())
    client.post(PROMETHEUS, json=alert(status="resolved", endsAt=ENDED))
    eventually("it is noted", lambda: _resolved(only()).get("status") == "True")
    assert client.post(PROMETHEUS, json=alert()).status_code == 202
    eventually("it fires again", lambda: _resolved(only()).get("status") == "False")
    assert _resolved(only())["reason"] == "SignalFiring"
    assert occurrences() == 2


def test_ending_and_coming_back_within_one_write(
    serve: Callable[..., Any],
    connect: Callable[..., httpx.Client],
    alert: Make,
    only: Only,
    occurrences: Callable[[], int],
) -> None:
    """What happened last is what is written."""
    served = serve(flush_interval=60.0)
    client = connect(served)
    for status in ("firing", "resolved", "firing"):
        client.post(PROMETHEUS, json=alert(status=status, endsAt=ENDED))
    served.stop()
    assert occurrences() == 2
    assert _resolved(only())["status"] == "False"


def test_others_conditions_stay(
    client: httpx.Client, alert: Make, only: Only, rest: Rest, eventually: Eventually
) -> None:
    """Ours is added to those that others wrote."""
    client.post(PROMETHEUS, json=alert())
    made = only()["metadata"]
    ready = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": "2026-11-21T10:00:00Z",
        "reason": "R",
        "message": "",
    }
    rest.patch(resources.path(made["namespace"], made["name"], "status"), {"status": {"conditions": [ready]}})
    client.post(PROMETHEUS, json=alert(status="resolved", endsAt=ENDED))
    eventually("it is noted", lambda: _resolved(only()).get("status") == "True")
    assert ready in only()["status"]["conditions"]


def test_a_repeated_end_is_written_once(
    client: httpx.Client, alert: Make, only: Only, attempts: Any, eventually: Eventually
) -> None:
    """Alertmanager repeats what is over, too; the second time there is nothing to write."""
    client.post(PROMETHEUS, json=alert())
    client.post(PROMETHEUS, json=alert(status="resolved", endsAt=ENDED))
    eventually("it is noted", lambda: _resolved(only()).get("status") == "True")
    before = len(attempts(resource="remediationrequests/status", at_least=1))
    for _ in range(3):
        assert client.post(PROMETHEUS, json=alert(status="resolved", endsAt=ENDED)).status_code == 202
    client.post(PROMETHEUS, json=alert("another"))
    assert len(attempts(resource="remediationrequests/status")) == before
