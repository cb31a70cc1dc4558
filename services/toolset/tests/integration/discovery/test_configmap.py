"""What others read, and what others wrote: the ConfigMap."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from servicekit.testing import Served
from services.toolset.tests.clock import ManualClock
from testinfra.endpoints import Cluster

NAME = "kubernaut-toolset-config"
GENERATED_AT = "kubernaut.io/generated-at"
Json = dict[str, Any]
Add = Callable[..., Json]
Generate = Callable[[], Json]
Read = Callable[[], Json]


@pytest.fixture
def path(namespace: Cluster) -> str:
    """Give the path of the ConfigMap."""
    return f"/api/v1/namespaces/{namespace.namespace}/configmaps/{NAME}"


def test_it_is_made_with_the_first_round(add: Add, generate: Generate, configmap: Read, namespace: Cluster) -> None:
    """The document, the labels, the annotation, and nothing else."""
    add("prometheus", 9090)
    add("grafana", 3000)
    said = generate()
    made = configmap()
    assert said == {"resource_version": made["metadata"]["resourceVersion"], "result": said["result"], "tools": 2}
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/name": "kubernaut",
        "app.kubernetes.io/component": "toolset-config",
        "app.kubernetes.io/managed-by": "kubernaut-toolset",
    }
    assert set(made["metadata"]["annotations"]) == {GENERATED_AT}
    assert set(made["data"]) == {"toolset.json"}
    home = namespace.namespace
    assert json.loads(made["data"]["toolset.json"])["tools"][0] == {
        "name": "grafana",
        "type": "grafana",
        "endpoint": f"http://grafana.{home}.svc.cluster.local:3000",
        "description": f"grafana grafana in namespace {home}",
        "namespace": home,
        "metadata": {"detected_by": "name"},
    }


def test_without_a_tool_it_is_an_empty_list(generate: Generate, published: Callable[[], list[Json]]) -> None:
    """There is a document, so that nobody takes its absence for a failure."""
    assert generate()["tools"] == 0
    assert published() == []


def test_tools_are_sorted(add: Add, generate: Generate, published: Callable[[], list[Json]]) -> None:
    """By name, in whatever order they were made."""
    for name in ("c", "a", "b"):
        add(f"prometheus-{name}", 9090)
    generate()
    assert [tool["name"][-1] for tool in published()] == ["a", "b", "c"]


def test_nothing_is_written_where_nothing_changes(add: Add, generate: Generate, configmap: Read) -> None:
    """The same resourceVersion, however often it is asked for."""
    add("prometheus", 9090)
    first = generate()
    again = [generate() for _ in range(3)]
    assert {each["result"] for each in again} == {"unchanged"}
    assert {each["resource_version"] for each in again} == {first["resource_version"]}
    assert configmap()["metadata"]["resourceVersion"] == first["resource_version"]


def test_generated_at_is_when_the_content_came_to_be(
    add: Add, serve: Callable[..., Served], connect: Any, configmap: Read, clock: ManualClock
) -> None:
    """It moves with the content, and with nothing else."""
    client = connect(serve(clock=clock))
    times = []
    for name in ("", "prometheus", "", "grafana"):
        if name:
            add(name, 3000)
        client.post("/api/v1/toolsets/generate")
        times.append(configmap()["metadata"]["annotations"][GENERATED_AT])
        clock.advance(60)
    assert [time[11:] for time in times] == ["10:00:00Z", "10:01:00Z", "10:01:00Z", "10:03:00Z"]


def test_what_others_put_there_is_kept(add: Add, generate: Generate, configmap: Read, rest: Any, path: str) -> None:
    """Labels, annotations, keys, binary keys, and an overrides file."""
    generate()
    theirs: dict[str, Json] = {
        "metadata": {"labels": {"team": "sre"}, "annotations": {"note": "ask first"}},
        "data": {"overrides.json": '{"grafana": {"endpoint": "http://other"}}', "notes.txt": "x"},
        "binaryData": {"logo.png": base64.b64encode(b"\x89PNG").decode()},
    }
    rest.patch(path, theirs)
    add("prometheus", 9090)
    assert generate()["result"] == "updated"
    stands = configmap()
    assert theirs["metadata"]["labels"].items() <= stands["metadata"]["labels"].items()
    assert theirs["metadata"]["annotations"].items() <= stands["metadata"]["annotations"].items()
    assert theirs["data"].items() <= stands["data"].items()
    assert stands["binaryData"] == theirs["binaryData"]


@pytest.mark.parametrize("found", ["", "{", "null", "[]", '{"tools": 7}', "(missing)", "(binary)"])
def test_what_is_no_document_is_drift(
    add: Add,
    generate: Generate,
    published: Callable[[], list[Json]],
    rest: Any,
    path: str,
    metric: Callable[..., float],
    found: str,
) -> None:
    """It is counted, and restored."""
    add("prometheus", 9090)
    generate()
    change: Json = {"data": {"toolset.json": None if found.startswith("(") else found}}
    if found == "(binary)":
        change["binaryData"] = {"toolset.json": "AAAA"}
    rest.patch(path, change)
    assert generate()["result"] == "updated"
    assert [tool["name"] for tool in published()] == ["prometheus"]
    assert metric("dynamic_toolset_configmap_drift_detected_total") == 1


def test_another_document_is_drift(
    add: Add, generate: Generate, published: Callable[[], list[Json]], rest: Any, path: str, metric: Any
) -> None:
    """Whoever changes an endpoint in it has put it into the wrong place."""
    add("prometheus", 9090)
    generate()
    changed = [{**tool, "endpoint": "http://elsewhere"} for tool in published()]
    rest.patch(path, {"data": {"toolset.json": json.dumps({"tools": changed})}})
    assert generate()["result"] == "updated"
    assert "elsewhere" not in published()[0]["endpoint"]
    assert metric("dynamic_toolset_configmap_drift_detected_total") == 1


def test_the_order_of_keys_is_no_drift(
    add: Add, generate: Generate, configmap: Read, rest: Any, path: str, metric: Any
) -> None:
    """The same said otherwise is left as it is."""
    add("prometheus", 9090)
    generate()
    said = json.loads(configmap()["data"]["toolset.json"])
    (tool,) = said["tools"]
    other = json.dumps({"tools": [dict(reversed(tool.items()))]}, indent=7)
    rest.patch(path, {"data": {"toolset.json": other}})
    assert generate()["result"] == "unchanged"
    assert configmap()["data"]["toolset.json"] == other
    assert metric("dynamic_toolset_configmap_drift_detected_total") == 0


def test_a_new_tool_is_no_drift(add: Add, generate: Generate, metric: Any) -> None:
    """It is written, and nobody is alarmed."""
    generate()
    add("prometheus", 9090)
    assert generate()["result"] == "updated"
    assert metric("dynamic_toolset_configmap_drift_detected_total") == 0


def test_our_labels_come_back(generate: Generate, configmap: Read, rest: Any, path: str) -> None:
    """Others find it by them; the content stays, and so does when it came to be."""
    generate()
    before = configmap()
    rest.patch(path, {"metadata": {"labels": {"app.kubernetes.io/managed-by": None, "team": "sre"}}})
    assert generate()["result"] == "updated"
    after = configmap()
    assert after["metadata"]["labels"] == {**before["metadata"]["labels"], "team": "sre"}
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]


def test_deleted_by_hand_it_is_made_again(
    add: Add, generate: Generate, published: Callable[[], list[Json]], rest: Any, path: str, metric: Any
) -> None:
    """It is drift, and healed by the next round."""
    add("prometheus", 9090)
    generate()
    rest.delete(path)
    assert generate()["result"] == "created"
    assert [tool["name"] for tool in published()] == ["prometheus"]
    assert metric("dynamic_toolset_configmap_drift_detected_total") == 1


def test_one_that_was_there_before_is_taken_over(
    add: Add, serve: Callable[..., Served], connect: Any, rest: Any, path: str, configmap: Read
) -> None:
    """With what is in it."""
    rest.post(path.removesuffix(f"/{NAME}"), {"metadata": {"name": NAME}, "data": {"overrides.json": "{}"}})
    add("prometheus", 9090)
    client = connect(serve())
    client.post("/api/v1/toolsets/generate")
    assert set(configmap()["data"]) == {"overrides.json", "toolset.json"}
    assert configmap()["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kubernaut-toolset"


def test_a_conflict_is_decided_anew(
    add: Add, serve: Callable[..., Served], connect: Any, intercept: Any, namespace: Cluster, configmap: Read
) -> None:
    """Two refusals by resourceVersion: read again, write again."""
    between = intercept(namespace)
    client = connect(serve(kubeconfig=between.endpoint.kubeconfig))
    client.post("/api/v1/toolsets/generate")
    add("prometheus", 9090)
    with between.answer(409, times=2, verb="patch", resource="configmaps"):
        assert client.post("/api/v1/toolsets/generate").json()["result"] == "updated"
    assert "prometheus" in configmap()["data"]["toolset.json"]
    assert len(between.attempts(verb="patch", resource="configmaps")) == 3
    text = client.get("/metrics").text
    assert 'dynamic_toolset_configmap_updates_total{result="conflict"} 2.0' in text


def test_ten_writers_lose_nothing(
    add: Add, generate: Generate, configmap: Read, rest: Any, path: str, published: Callable[[], list[Json]]
) -> None:
    """Ten people write while the service does: all that they wrote is there, and the document is ours."""
    generate()

    def write(number: int) -> None:
        for turn in range(3):
            rest.patch(path, {"data": {f"theirs-{number}": str(turn), "toolset.json": "mine!"}})

    with ThreadPoolExecutor(11) as pool:
        writers = [pool.submit(write, number) for number in range(10)]
        add("prometheus", 9090)
        answers = [generate() for _ in range(3)]
        for writer in writers:
            writer.result()
    answers.append(generate())
    assert {answer["tools"] for answer in answers[1:]} == {1}
    assert [tool["name"] for tool in published()] == ["prometheus"]
    assert {f"theirs-{number}": "2" for number in range(10)}.items() <= configmap()["data"].items()


def test_two_replicas_agree(add: Add, serve: Callable[..., Served], connect: Any, configmap: Read) -> None:
    """Both write at the same time, and one of them finds it written."""
    add("prometheus", 9090)
    clients: list[httpx.Client] = [connect(serve()), connect(serve())]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda client: client.post("/api/v1/toolsets/generate").json(), clients))
    assert {answer["resource_version"] for answer in answers} == {configmap()["metadata"]["resourceVersion"]}
    for client in clients:
        assert "dynamic_toolset_configmap_drift_detected_total 0.0" in client.get("/metrics").text


def test_an_answer_that_was_lost_is_no_second_write(
    add: Add, serve: Callable[..., Served], connect: Any, intercept: Any, namespace: Cluster, configmap: Read
) -> None:
    """The caller is told 503, and the next round finds it as it has to be."""
    between = intercept(namespace)
    client = connect(serve(kubeconfig=between.endpoint.kubeconfig))
    client.post("/api/v1/toolsets/generate")
    add("prometheus", 9090)
    with between.lose_answer(verb="patch", resource="configmaps"):
        lost = client.post("/api/v1/toolsets/generate")
    assert (lost.status_code, lost.headers["Retry-After"]) == (503, "1")
    assert client.post("/api/v1/toolsets/generate").json()["result"] == "unchanged"
    assert "prometheus" in configmap()["data"]["toolset.json"]
