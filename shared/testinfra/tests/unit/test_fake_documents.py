"""What the fake serves beside resources, and resources that it shows in two shapes."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.unit.fakeapi import CRDS, Api, definition, path
from testinfra.kubernetes.fake.http import Response


@pytest.fixture
def api() -> Api:
    """A new cluster."""
    return Api()


def tag(answer: object) -> str:
    """The ETag of an answer."""
    assert isinstance(answer, Response)
    return dict(answer.headers)["ETag"]


def test_a_document_that_is_known_is_not_sent_again(api: Api) -> None:
    """304 for its tag; another tag once a kind is added."""
    known = tag(api.ask("GET", "/apis"))
    again = api.ask("GET", "/apis", known=known)
    assert isinstance(again, Response)
    assert (again.code, again.body) == (304, b"")
    api.said("POST", CRDS, definition())
    assert tag(api.ask("GET", "/apis", known=known)) != known


def test_a_document_cannot_be_written(api: Api) -> None:
    """405."""
    assert api.said("POST", "/apis", {})["http"] == 405


def test_what_is_not_there_is_a_page(api: Api) -> None:
    """404 in plain words, as outside of any group."""
    answer = api.ask("GET", "/nothing/here")
    assert isinstance(answer, Response)
    assert (answer.code, answer.body) == (404, b"404 page not found\n")


def test_an_event_is_seen_in_both_groups(api: Api) -> None:
    """Under the names that each has for its fields."""
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    made = {"metadata": {"name": "e"}, "involvedObject": about, "reason": "R", "message": "said"}
    assert api.said("POST", path("events"), made)["http"] == 201
    other = api.said("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")
    assert (other["apiVersion"], other["regarding"], other["note"]) == ("events.k8s.io/v1", about, "said")
    assert "involvedObject" not in other
    assert api.said("DELETE", "/apis/events.k8s.io/v1/namespaces/default/events/e")["status"] == "Success"
    assert api.gone("e", kind="events")


def test_an_autoscaler_is_seen_in_both_versions(api: Api) -> None:
    """The target of v1 is a metric of v2, and back."""
    prefix, name = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers", "h"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 70}
    made = api.said("POST", prefix.format("v1"), {"metadata": {"name": name}, "spec": spec})
    assert made["http"] == 201, made
    assert made["spec"]["targetCPUUtilizationPercentage"] == 70
    metric = api.said("GET", f"{prefix.format('v2')}/{name}")["spec"]["metrics"][0]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
