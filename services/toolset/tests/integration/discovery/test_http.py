"""The calls: what is listed, what is refused and in which form."""

from __future__ import annotations

import dataclasses
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from servicekit.testing import serve_in_thread
from services.toolset.tests.endpoints import Endpoints
from testinfra.endpoints import Cluster
from toolset import ServeSettings, create_app

PROBLEM = "application/problem+json"
CALLS = {
    "/api/v1/toolsets": "GET",
    "/api/v1/toolsets/{name}": "GET",
    "/api/v1/toolsets/generate": "POST",
    "/api/v1/toolsets/validate": "POST",
    "/api/v1/services": "GET",
    "/api/v1/discover": "POST",
}
Json = dict[str, Any]
TOOL = {
    "name": "grafana",
    "type": "grafana",
    "endpoint": "http://grafana.shop.svc.cluster.local:3000",
    "namespace": "shop",
}


@pytest.fixture(scope="module")
def other(kubernetes: Any, place: Cluster) -> Iterator[Cluster]:
    """Give a second namespace of the module's."""
    name = f"{place.namespace}-b"
    kubernetes.rest().post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield dataclasses.replace(place, namespace=name)
    kubernetes.rest().delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def api(
    kubernetes: Any,
    place: Cluster,
    other: Cluster,
    endpoints: Endpoints,
    settings_for: Callable[..., ServeSettings],
    make_service: Callable[..., Json],
    no_tls: ssl.SSLContext,
) -> Iterator[httpx.Client]:
    """Give a client of a service that knows a tool of each kind, in two namespaces."""
    off = {"kubernaut.io/toolset": "disabled"}
    endpoints.behave(f"jaeger.{place.namespace}", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    for where, service in (
        (place, make_service("prometheus", 9090)),
        (place, make_service("jaeger", 16686)),
        (place, make_service("twice", 3000)),
        (other, make_service("twice", 3000)),
        (other, make_service("quiet", 9090, annotations=off)),
    ):
        kubernetes.rest().post(f"/api/v1/namespaces/{where.namespace}/services", service)
    settings = settings_for(place, namespaces=(other.namespace, place.namespace), max_body_bytes=10_000)
    with (
        serve_in_thread(create_app(settings)) as served,
        httpx.Client(base_url=served.url, verify=no_tls, timeout=60) as client,
    ):
        assert client.post("/api/v1/toolsets/generate").json()["tools"] == 3
        yield client


def names(answer: httpx.Response) -> list[str]:
    """Return the names in a list, in its order."""
    assert answer.status_code == 200, answer.text
    listed = answer.json()
    return [each["name"] for each in listed.get("toolsets", listed.get("services"))]


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("", ["jaeger", "prometheus", "twice", "quiet", "twice"]),
        ("?enabled=true", ["jaeger", "prometheus", "twice", "twice"]),
        ("?enabled=false", ["quiet"]),
        ("?healthy=true", ["prometheus", "twice", "twice"]),
        ("?healthy=false", ["jaeger"]),
        ("?enabled=true&healthy=false", ["jaeger"]),
        ("?enabled=false&healthy=true", []),
    ],
)
def test_toolsets_are_filtered(api: httpx.Client, query: str, listed: list[str]) -> None:
    """By either, by both; one that was not checked is neither healthy nor not."""
    assert names(api.get(f"/api/v1/toolsets{query}")) == listed


@pytest.mark.parametrize("query", ["enabled=yes", "enabled=1", "healthy=", "healthy=TRUE", "healty=true", "limit=1"])
def test_a_wrong_filter_is_told(api: httpx.Client, query: str) -> None:
    """400 with the parameter's name: what is not known is wrong too, as a typo would ask for everything."""
    answer = api.get(f"/api/v1/toolsets?{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert set(answer.json()["field_errors"]) == {query.partition("=")[0]}


@pytest.mark.parametrize(("type_", "listed"), [("prometheus", ["prometheus", "quiet"]), ("custom", [])])
def test_services_are_filtered_by_type(api: httpx.Client, type_: str, listed: list[str]) -> None:
    """And tell what their health checks said."""
    answer = api.get("/api/v1/services", params={"type": type_})
    assert names(answer) == listed
    assert all({"reason", "message", "last_checked", "health_path"} <= set(each) for each in answer.json()["services"])


def test_a_type_that_there_is_not_is_told(api: httpx.Client) -> None:
    """400."""
    answer = api.get("/api/v1/services?type=splunk")
    assert (answer.status_code, set(answer.json()["field_errors"])) == (400, {"type"})


def test_one_tool_is_asked_for_by_its_name(api: httpx.Client, place: Cluster) -> None:
    """As it is in the list."""
    said = api.get("/api/v1/toolsets/prometheus")
    assert said.json() in api.get("/api/v1/toolsets").json()["toolsets"]
    assert said.json()["namespace"] == place.namespace


def test_a_name_in_two_namespaces_needs_one(api: httpx.Client, place: Cluster, other: Cluster) -> None:
    """409 that lists them; with one of them it is found."""
    answer = api.get("/api/v1/toolsets/twice")
    assert (answer.status_code, answer.headers["Content-Type"]) == (409, PROBLEM)
    assert answer.json()["namespaces"] == [place.namespace, other.namespace]
    for each in (place.namespace, other.namespace):
        assert api.get("/api/v1/toolsets/twice", params={"namespace": each}).json()["namespace"] == each


@pytest.mark.parametrize("path", ["shop", "prometheus?namespace=elsewhere", "%00", "..%2f..", "a" * 300])
def test_a_tool_that_there_is_not_is_404(api: httpx.Client, path: str) -> None:
    """As a problem, with the time of the discovery it is of; or as any unknown path."""
    answer = api.get(f"/api/v1/toolsets/{path}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)


def test_the_time_of_the_discovery_is_told(api: httpx.Client) -> None:
    """In both lists, the same."""
    times = {api.get(path).json()["discovered_at"] for path in ("/api/v1/toolsets", "/api/v1/services")}
    assert len(times) == 1
    assert times.pop().endswith("Z")


def test_what_is_published_is_valid(api: httpx.Client, kubernetes: Any, place: Cluster) -> None:
    """Our own document passes our own check."""
    path = f"/api/v1/namespaces/{place.namespace}/configmaps/kubernaut-toolset-config"
    text = kubernetes.rest().get(path)["data"]["toolset.json"]
    answer = api.post("/api/v1/toolsets/validate", content=text, headers={"Content-Type": "application/json"})
    assert answer.json() == {"valid": True, "errors": []}


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        (None, ["document"]),
        ([], ["document"]),
        ("text", ["document"]),
        ({}, ["tools"]),
        ({"tools": {}}, ["tools"]),
        ({"tools": [], "more": 1}, ["more"]),
        ({"tools": [7]}, ["tools.0"]),
        ({"tools": [{**TOOL, "type": "splunk"}]}, ["tools.0.type"]),
        ({"tools": [{**TOOL, "endpoint": "grafana:3000"}]}, ["tools.0.endpoint"]),
        ({"tools": [{**TOOL, "namespace": "Shop"}]}, ["tools.0.namespace"]),
        ({"tools": [{**TOOL, "metadata": {"a": 1}}]}, ["tools.0.metadata.a"]),
        ({"tools": [{**TOOL, "port": 1, "name": ""}]}, ["tools.0.name", "tools.0.port"]),
        ({"tools": [{"name": "x"}]}, ["tools.0.type", "tools.0.endpoint", "tools.0.namespace"]),
        ({"tools": [TOOL, TOOL]}, ["tools.1.name"]),
        ({"tools": [1] * 2000}, [f"tools.{index}" for index in range(100)]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_with_a_document_is_told(api: httpx.Client, document: Any, fields: list[str]) -> None:
    """200 with every wrong field, a hundred at most."""
    headers = {"Content-Type": "application/json"}
    answer = api.post("/api/v1/toolsets/validate", content=json.dumps(document), headers=headers)
    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    assert [each["field"] for each in answer.json()["errors"]] == fields
    assert all(each["message"] for each in answer.json()["errors"])


def test_half_a_character_in_a_name_is_told(api: httpx.Client) -> None:
    """A lone surrogate, which JSON can write and UTF-8 cannot."""
    headers = {"Content-Type": "application/json"}
    answer = api.post("/api/v1/toolsets/validate", content=rb'{"tools": [], "\ud800": 1}', headers=headers)
    assert (answer.status_code, answer.json()["valid"]) == (200, False)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"nul", b"[" * 5_000])
def test_what_is_no_json_is_400(api: httpx.Client, body: bytes) -> None:
    """As a problem."""
    answer = api.post("/api/v1/toolsets/validate", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)


def test_another_content_type_is_415(api: httpx.Client) -> None:
    """With the one that is taken."""
    answer = api.post("/api/v1/toolsets/validate", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.headers["Accept"]) == (415, "application/json")


def test_a_body_that_is_too_large_is_413(api: httpx.Client) -> None:
    """By the setting."""
    assert api.post("/api/v1/toolsets/validate", json="x" * 10_001).status_code == 413


@pytest.mark.parametrize(("path", "method"), CALLS.items())
def test_another_method_is_405(api: httpx.Client, path: str, method: str) -> None:
    """With the one that there is."""
    answer = api.put(path.replace("{name}", "prometheus"))
    assert (answer.status_code, method in answer.headers["Allow"]) == (405, True)


def test_every_answer_has_the_request_id(api: httpx.Client) -> None:
    """Right ones and wrong ones."""
    for path in ("/api/v1/toolsets", "/api/v1/nothing", "/api/v1/toolsets/shop"):
        answer = api.get(path, headers={"X-Request-ID": "mine.1"})
        assert answer.headers["X-Request-ID"] == "mine.1"


def test_the_document_has_all_paths(api: httpx.Client) -> None:
    """The calls with what they answer, and what all services have."""
    document = api.get("/openapi.json").json()
    assert set(document["paths"]) == {*CALLS, "/livez", "/readyz", "/metrics"}
    for path, method in CALLS.items():
        operation = document["paths"][path][method.lower()]
        assert {"401", "503"} <= set(operation["responses"])
        assert operation["security"] == [{"bearer": []}]
