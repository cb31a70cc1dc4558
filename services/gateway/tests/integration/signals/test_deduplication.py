"""One resource per problem: by phase, by replica, through restarts, and counted exactly."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gateway import resources
from servicekit.testing import Served
from testinfra.endpoints import Cluster

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

PROMETHEUS = "/api/v1/signals/prometheus"
EVENT = "/api/v1/signals/kubernetes-event"
ONGOING = ("Pending", "Processing", "Analyzing", "AwaitingApproval", "Executing", "Blocked")
Json = dict[str, Any]
Make = Callable[..., Json]
Only = Callable[[], Json]
Found = Callable[..., list[Json]]
Connect = Callable[..., httpx.Client]
Eventually = Callable[..., None]


def _names(items: list[Json]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def test_a_repeated_alert_is_a_duplicate(client: httpx.Client, alert: Make, only: Only) -> None:
    """202 with the same resource, and a count that rises."""
    first = client.post(PROMETHEUS, json=alert()).json()
    again = client.post(PROMETHEUS, json=alert())
    assert again.status_code == 202
    body = again.json()
    assert (body["status"], body["duplicate"], body["metadata"]["count"]) == ("duplicate", True, 2)
    assert body["remediationRequestName"] == first["remediationRequestName"] == only()["metadata"]["name"]


def test_first_and_last_occurrence_are_told(client: httpx.Client, alert: Make) -> None:
    """The first stays, the last moves."""
    first = client.post(PROMETHEUS, json=alert()).json()["metadata"]
    again = client.post(PROMETHEUS, json=alert()).json()["metadata"]
    assert again["firstOccurrence"] == first["firstOccurrence"]
    assert again["lastOccurrence"] > again["firstOccurrence"]


def test_every_repetition_is_counted(
    client: httpx.Client, alert: Make, occurrences: Callable[[], int], eventually: Eventually
) -> None:
    """Ten signals are the count 10 on the resource."""
    for _ in range(10):
        client.post(PROMETHEUS, json=alert())
    eventually("all ten are counted", lambda: occurrences() == 10)


def test_the_resource_says_when_it_was_seen(
    client: httpx.Client, alert: Make, only: Only, eventually: Eventually
) -> None:
    """Its status has the first signal's time, and the last one's."""
    first = client.post(PROMETHEUS, json=alert()).json()["metadata"]
    last = client.post(PROMETHEUS, json=alert()).json()["metadata"]
    eventually("it is written", lambda: "lastSeenAt" in only()["status"]["deduplication"])
    seen = only()["status"]["deduplication"]
    assert (seen["firstSeenAt"], seen["lastSeenAt"]) == (first["firstOccurrence"], last["lastOccurrence"])


def test_a_duplicate_costs_no_read_of_the_server(client: httpx.Client, alert: Make, attempts: Any) -> None:
    """Twenty duplicates are no GET and no LIST, and fewer writes than duplicates."""
    client.post(PROMETHEUS, json=alert())
    for _ in range(20):
        assert client.post(PROMETHEUS, json=alert()).status_code == 202
    attempts(resource="remediationrequests/status", verb="patch", at_least=1)
    assert not attempts(resource="remediationrequests", verb="get")
    assert len(attempts(resource="remediationrequests", verb="list")) <= 1  # the index's own, before all


def test_repetitions_are_written_in_batches(
    serve: Callable[..., Served], connect: Connect, alert: Make, attempts: Any, occurrences: Callable[[], int]
) -> None:
    """Fifty repetitions within the flush interval are one write."""
    served = serve(flush_interval=60.0)
    client = connect(served)
    for _ in range(51):
        client.post(PROMETHEUS, json=alert())
    served.stop()
    assert occurrences() == 51
    assert len(attempts(resource="remediationrequests/status", verb="patch", at_least=1)) == 1


@pytest.mark.parametrize("phase", ONGOING)
def test_a_problem_in_an_ongoing_phase_gets_no_other_resource(
    client: httpx.Client, alert: Make, only: Only, move: Callable[[Json, str], None], phase: str
) -> None:
    """While the resource is in one of these phases the signal is a duplicate."""
    client.post(PROMETHEUS, json=alert())
    move(only(), phase)
    assert client.post(PROMETHEUS, json=alert()).status_code == 202
    only()


@pytest.mark.parametrize("phase", sorted(resources.TERMINAL))
def test_a_problem_whose_resource_has_ended_gets_another(
    client: httpx.Client, alert: Make, only: Only, found: Found, move: Callable[[Json, str], None], phase: str
) -> None:
    """After one of these phases the same signal makes the next generation, which starts at 1."""
    client.post(PROMETHEUS, json=alert())
    move(only(), phase)
    answer = client.post(PROMETHEUS, json=alert())
    assert answer.status_code == 201
    first, second = found()
    assert answer.json()["remediationRequestName"] == second["metadata"]["name"]
    assert [resources.generation_of(name) for name in _names([first, second])] == [1, 2]
    assert second["status"]["deduplication"]["occurrenceCount"] == 1


def test_the_next_generation_is_deduplicated_too(
    client: httpx.Client, alert: Make, only: Only, found: Found, move: Callable[[Json, str], None]
) -> None:
    """After the second was made, the third signal is its duplicate."""
    client.post(PROMETHEUS, json=alert())
    move(only(), "Failed")
    second = client.post(PROMETHEUS, json=alert()).json()["remediationRequestName"]
    third = client.post(PROMETHEUS, json=alert())
    assert (third.status_code, third.json()["remediationRequestName"]) == (202, second)
    assert len(found()) == 2


@pytest.mark.parametrize(
    "change",
    [{"alertname": "Other"}, {"pod": "another"}, {"pod": None, "deployment": "payment-api-0"}],
    ids=["another name", "another pod", "another kind"],
)
def test_another_problem_gets_its_own(client: httpx.Client, alert: Make, found: Found, change: Json) -> None:
    """What differs in name, kind or target is another problem."""
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    assert client.post(PROMETHEUS, json=alert(labels=change)).status_code == 201
    assert len(found()) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"severity": "info"}},
        {"labels": {"container": "app", "instance": "10.0.0.9"}},
        {"annotations": {"summary": "other words"}},
        {"startsAt": "2026-11-21T11:11:11Z"},
        {"fingerprint": "0000000000000000"},
    ],
    ids=["severity", "labels", "annotations", "time", "Alertmanager's fingerprint"],
)
def test_what_else_differs_does_not_matter(client: httpx.Client, alert: Make, only: Only, change: Json) -> None:
    """Severity, other labels, texts and times do not make another problem."""
    client.post(PROMETHEUS, json=alert())
    assert client.post(PROMETHEUS, json=alert(**change)).status_code == 202
    only()


def test_an_event_is_deduplicated(
    client: httpx.Client, event: Make, occurrences: Callable[[], int], eventually: Eventually
) -> None:
    """The same reason about the same object is one problem."""
    assert client.post(EVENT, json=event()).status_code == 201
    assert client.post(EVENT, json=event(message="again", count=6)).status_code == 202
    eventually("both are counted", lambda: occurrences() == 2)


def test_an_alert_and_an_event_of_one_name_are_one_problem(
    client: httpx.Client, alert: Make, event: Make, only: Only
) -> None:
    """The fingerprint does not ask who sent the signal."""
    client.post(PROMETHEUS, json=alert("x", labels={"alertname": "BackOff"}))
    assert client.post(EVENT, json=event("x")).status_code == 202
    only()


def test_fifty_at_once_make_one(
    service: Served, connect: Connect, alert: Make, occurrences: Callable[[], int], eventually: Eventually
) -> None:
    """Of fifty copies sent at once one is answered 201 and 49 are 202; the count is 50."""
    clients = [connect(service) for _ in range(10)]
    with ThreadPoolExecutor(50) as pool:
        sent = [pool.submit(clients[number % 10].post, PROMETHEUS, json=alert()) for number in range(50)]
        codes = sorted(each.result().status_code for each in sent)
    assert codes == [201] + [202] * 49
    eventually("all are counted", lambda: occurrences() == 50)


def test_two_gateways_make_one(
    serve: Callable[..., Served],
    connect: Connect,
    alert: Make,
    occurrences: Callable[[], int],
    eventually: Eventually,
) -> None:
    """Two gateways that get the same alerts at once make one resource of each, and count together."""
    clients = [connect(serve()) for _ in range(2)]
    with ThreadPoolExecutor(40) as pool:
        sent = [pool.submit(clients[number % 2].post, PROMETHEUS, json=alert()) for number in range(40)]
        codes = sorted(each.result().status_code for each in sent)
    assert codes == [201] + [202] * 39
    eventually("all are counted", lambda: occurrences() == 40)


def test_a_second_gateway_knows_what_the_first_made(
    serve: Callable[..., Served], connect: Connect, alert: Make, only: Only
) -> None:
    """What one made is a duplicate to the other, at once."""
    first, second = (connect(serve()) for _ in range(2))
    assert first.post(PROMETHEUS, json=alert()).status_code == 201
    assert second.post(PROMETHEUS, json=alert()).status_code == 202
    only()


def test_a_restart_forgets_nothing(
    serve: Callable[..., Served],
    connect: Connect,
    alert: Make,
    occurrences: Callable[[], int],
    eventually: Eventually,
) -> None:
    """A gateway that starts finds the resources there are, with their counts."""
    first = serve()
    before = connect(first)
    for _ in range(3):
        before.post(PROMETHEUS, json=alert())
    first.stop()
    answer = connect(serve()).post(PROMETHEUS, json=alert())
    assert (answer.status_code, answer.json()["metadata"]["count"]) == (202, 4)
    eventually("it is counted", lambda: occurrences() == 4)


def test_a_deleted_resource_is_forgotten(
    client: httpx.Client, app: Any, alert: Make, only: Only, rest: Rest, eventually: Eventually
) -> None:
    """After its deletion the problem is new; the name is not used again, as another replica may not know yet."""
    client.post(PROMETHEUS, json=alert())
    made = only()["metadata"]
    rest.delete(resources.path(made["namespace"], made["name"]))
    key = made["namespace"], made["name"]
    eventually("the gateway sees it go", lambda: app.parts.index.get(key) is None)
    answer = client.post(PROMETHEUS, json=alert())
    assert answer.status_code == 201
    assert resources.generation_of(answer.json()["remediationRequestName"]) == 2


def test_a_resource_that_others_made_counts(
    client: httpx.Client, app: Any, alert: Make, rest: Rest, only: Only, namespace: Cluster, eventually: Eventually
) -> None:
    """A resource of any name with the fingerprint, made by hand, makes the signal a duplicate."""
    client.post(PROMETHEUS, json=alert())
    made = only()
    rest.delete(resources.path(namespace.namespace, made["metadata"]["name"]))
    by_hand = {**made, "metadata": {"name": "by-hand"}}
    by_hand.pop("status")
    rest.post(resources.path(namespace.namespace), by_hand)
    key = namespace.namespace, "by-hand"
    eventually("the gateway sees it", lambda: app.parts.index.get(key) is not None)
    answer = client.post(PROMETHEUS, json=alert())
    assert (answer.status_code, answer.json()["remediationRequestName"]) == (202, "by-hand")


def test_a_count_that_others_changed_is_kept(
    client: httpx.Client, alert: Make, only: Only, rest: Rest, occurrences: Callable[[], int], eventually: Eventually
) -> None:
    """A repetition is added to what the resource says, whoever wrote it."""
    client.post(PROMETHEUS, json=alert())
    made = only()["metadata"]
    status = {"status": {"deduplication": {"occurrenceCount": 100}}}
    rest.patch(resources.path(made["namespace"], made["name"], "status"), status)
    client.post(PROMETHEUS, json=alert())
    eventually("one is added to the hundred", lambda: occurrences() == 101)


def test_counting_leaves_the_rest_of_the_status_alone(
    client: httpx.Client, alert: Make, only: Only, rest: Rest, occurrences: Callable[[], int], eventually: Eventually
) -> None:
    """Phase and conditions that others wrote stay as they are."""
    client.post(PROMETHEUS, json=alert())
    made = only()["metadata"]
    ready = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": "2026-11-21T10:00:00Z",
        "reason": "R",
        "message": "",
    }
    status = {"overallPhase": "Executing", "conditions": [ready]}
    rest.patch(resources.path(made["namespace"], made["name"], "status"), {"status": status})
    client.post(PROMETHEUS, json=alert())
    eventually("it is counted", lambda: occurrences() == 2)
    assert only()["status"]["overallPhase"] == "Executing"
    assert only()["status"]["conditions"] == [ready]
