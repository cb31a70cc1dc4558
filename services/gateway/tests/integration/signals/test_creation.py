"""A signal of a new problem makes one RemediationRequest, and the answer says which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from testinfra.endpoints import Cluster
from testinfra.faults.requests import answered

PROMETHEUS = "/api/v1/signals/prometheus"
EVENT = "/api/v1/signals/kubernetes-event"
Json = dict[str, Any]
Make = Callable[..., Json]


def test_an_alert_makes_a_resource(
    client: httpx.Client, alert: Make, namespace: Cluster, only: Callable[[], Json]
) -> None:
    """201 with the resource's name and namespace, which is the alert's own."""
    answer = client.post(PROMETHEUS, json=alert())
    assert answer.status_code == 201, answer.text
    body = answer.json()
    made = only()["metadata"]
    assert (body["status"], body["duplicate"]) == ("created", False)
    assert (body["remediationRequestName"], body["remediationRequestNamespace"]) == (made["name"], made["namespace"])
    assert made["namespace"] == namespace.namespace


def test_the_answer_has_the_documented_members(client: httpx.Client, alert: Make) -> None:
    """The body has just the members of the table in the README."""
    body = client.post(PROMETHEUS, json=alert()).json()
    assert set(body) == {
        "status",
        "message",
        "fingerprint",
        "duplicate",
        "remediationRequestName",
        "remediationRequestNamespace",
        "metadata",
    }
    assert set(body["metadata"]) == {"count", "firstOccurrence", "lastOccurrence"}
    assert body["metadata"]["count"] == 1
    assert body["metadata"]["firstOccurrence"] == body["metadata"]["lastOccurrence"]


def test_the_fingerprint_is_of_name_namespace_kind_and_target(
    client: httpx.Client, alert: Make, namespace: Cluster, only: Callable[[], Json]
) -> None:
    """The answer's and the resource's fingerprint are the SHA-256 of the four, with colons between."""
    said = client.post(PROMETHEUS, json=alert("api-7")).json()["fingerprint"]
    text = f"PodCrashLooping:{namespace.namespace}:Pod:api-7"
    assert said == hashlib.sha256(text.encode()).hexdigest() == only()["spec"]["signalFingerprint"]


def test_the_spec_says_what_the_alert_said(
    client: httpx.Client, alert: Make, namespace: Cluster, only: Callable[[], Json]
) -> None:
    """Name, severity, type, target, labels, annotations and times of the alert are in the spec."""
    client.post(PROMETHEUS, json=alert("api-7", labels={"team": "shop"}))
    spec = only()["spec"]
    assert (spec["signalName"], spec["severity"], spec["signalType"]) == (
        "PodCrashLooping",
        "critical",
        "prometheus-alert",
    )
    assert spec["targetType"] == "kubernetes"
    assert spec["targetResource"] == {"kind": "Pod", "name": "api-7", "namespace": namespace.namespace}
    assert spec["signalLabels"]["team"] == "shop"
    assert spec["signalAnnotations"] == {"summary": "Pod is crash looping"}
    assert spec["firingTime"] == "2026-11-21T10:00:00.123000Z"


def test_the_payload_is_kept_as_it_was_sent(client: httpx.Client, alert: Make, only: Callable[[], Json]) -> None:
    """The alert is kept whole, with members that nobody here knows."""
    sent = alert(unknownToUs={"a": [1, 2.5, None]})
    assert client.post(PROMETHEUS, json=sent).status_code == 201
    assert json.loads(only()["spec"]["originalPayload"]) == sent["alerts"][0]


def test_a_new_resource_is_pending_and_seen_once(client: httpx.Client, alert: Make, only: Callable[[], Json]) -> None:
    """Without any write of its status it reads as Pending, with the count 1."""
    client.post(PROMETHEUS, json=alert())
    status = only()["status"]
    assert (status["overallPhase"], status["deduplication"]["occurrenceCount"]) == ("Pending", 1)


def test_making_one_costs_one_request(client: httpx.Client, alert: Make, attempts: Any) -> None:
    """One POST and nothing else reaches the server for a new problem."""
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    made = attempts(verb="create", resource="remediationrequests", when=answered, at_least=1)
    assert [each.code for each in made] == [201]
    assert not attempts(resource="remediationrequests", verb="get")
    assert not attempts(resource="remediationrequests/status")


def test_label_values_are_cut_to_63(client: httpx.Client, alert: Make, only: Callable[[], Json]) -> None:
    """A longer value is cut in the spec, and whole in the payload."""
    client.post(PROMETHEUS, json=alert(labels={"long": "x" * 200}))
    spec = only()["spec"]
    assert spec["signalLabels"]["long"] == "x" * 63
    assert json.loads(spec["originalPayload"])["labels"]["long"] == "x" * 200


def test_long_annotations_are_kept(client: httpx.Client, alert: Make, only: Callable[[], Json]) -> None:
    """An annotation of 30,000 characters is not cut."""
    client.post(PROMETHEUS, json=alert(annotations={"description": "d" * 30_000}))
    assert len(only()["spec"]["signalAnnotations"]["description"]) == 30_000


@pytest.mark.parametrize("text", ["ключ", "日本", "a\u0000b", "new\nline", '"quoted"', "\U0001f525"])
def test_any_text_of_a_label_can_be_stored(
    client: httpx.Client, alert: Make, only: Callable[[], Json], text: str
) -> None:
    """Texts in any script, and with control characters, come back as they were sent."""
    assert client.post(PROMETHEUS, json=alert(labels={"said": text})).status_code == 201
    assert only()["spec"]["signalLabels"]["said"] == text


def test_an_event_makes_a_resource(
    client: httpx.Client, event: Make, namespace: Cluster, only: Callable[[], Json]
) -> None:
    """A warning event makes a resource of type kubernetes-event, named after its reason."""
    answer = client.post(EVENT, json=event("api-1", reason="OOMKilled"))
    assert answer.status_code == 201, answer.text
    spec = only()["spec"]
    assert (spec["signalName"], spec["signalType"], spec["severity"]) == ("OOMKilled", "kubernetes-event", "critical")
    assert (spec["signalSource"], spec["targetResource"]["name"]) == ("kubelet", "api-1")
    assert spec["signalAnnotations"] == {"message": "Back-off restarting failed container"}
    assert json.loads(spec["originalPayload"])["involvedObject"]["name"] == "api-1"


def test_every_alert_of_an_array_is_handled(
    client: httpx.Client, alert: Make, found: Callable[..., list[Json]]
) -> None:
    """Three alerts make three resources; the answers are in the array's order, the status is the worst's."""
    sent = alert("a")
    sent["alerts"] += alert("b")["alerts"] + alert("c")["alerts"]
    answer = client.post(PROMETHEUS, json=sent)
    assert answer.status_code == 201, answer.text
    results = answer.json()["results"]
    assert [each["code"] for each in results] == [201, 201, 201]
    names = [each["answer"]["remediationRequestName"] for each in results]
    targets = {item["metadata"]["name"]: item["spec"]["targetResource"]["name"] for item in found()}
    assert [targets[name] for name in names] == ["a", "b", "c"]


def test_an_array_with_a_new_and_a_known_problem(client: httpx.Client, alert: Make) -> None:
    """Each answer is its own: 201 for the new one, 202 for the known; 202 is the higher."""
    client.post(PROMETHEUS, json=alert("a"))
    sent = alert("a")
    sent["alerts"] += alert("b")["alerts"]
    answer = client.post(PROMETHEUS, json=sent)
    assert answer.status_code == 202
    assert [each["code"] for each in answer.json()["results"]] == [202, 201]


def test_the_same_alert_twice_in_an_array_is_one_problem(
    client: httpx.Client, alert: Make, occurrences: Callable[[], int], eventually: Callable[..., None]
) -> None:
    """One resource is made, and both are counted."""
    sent = alert("a")
    sent["alerts"] *= 2
    results = client.post(PROMETHEUS, json=sent).json()["results"]
    assert sorted(each["code"] for each in results) == [201, 202]
    eventually("both are counted", lambda: occurrences() == 2)


def test_one_alert_without_a_name_does_not_keep_the_others(
    client: httpx.Client, alert: Make, found: Callable[..., list[Json]]
) -> None:
    """The others are made; the status is 400 and names the wrong one."""
    sent = alert("a")
    sent["alerts"] += alert("b", labels={"alertname": None})["alerts"]
    answer = client.post(PROMETHEUS, json=sent)
    assert answer.status_code == 400
    assert [each["code"] for each in answer.json()["results"]] == [201, 400]
    assert set(answer.json()["field_errors"]) == {"alerts.1.labels.alertname"}
    assert [item["spec"]["targetResource"]["name"] for item in found()] == ["a"]
