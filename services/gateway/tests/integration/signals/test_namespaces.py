"""Where a resource goes: its signal's namespace, and the fallback where that does not exist or is not ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gateway import resources
from servicekit.testing import Served
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import ApiError

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

PROMETHEUS = "/api/v1/signals/prometheus"
Json = dict[str, Any]
Make = Callable[..., Json]
Found = Callable[..., list[Json]]


@pytest.fixture
def second(rest: Rest, namespace: Cluster) -> Iterator[str]:
    """Give the name of one more namespace, which goes after the test."""
    name = f"{namespace.namespace}-b"
    rest.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    with suppress(ApiError):
        rest.delete(f"/api/v1/namespaces/{name}")


def test_service_and_test_use_one_namespace(
    service: Served, client: httpx.Client, alert: Make, namespace: Cluster, found: Found
) -> None:
    """What the test was given is what the gateway writes to: the bug of two name generators cannot come back.

    The suite of which that is told waited 15 s for a resource in a namespace that it had named itself, while the
    service made it in another, whose name it had built from the same parts in another way.
    """
    settings: Any = service.app.settings
    assert settings.namespaces == (namespace.namespace,)
    answer = client.post(PROMETHEUS, json=alert())
    assert answer.json()["remediationRequestNamespace"] == namespace.namespace
    assert [item["metadata"]["namespace"] for item in found()] == [namespace.namespace]


@pytest.mark.parametrize("number", range(4))
def test_the_same_name_in_each_is_new(client: httpx.Client, alert: Make, only: Callable[[], Json], number: int) -> None:
    """Four tests, in whatever processes, send the very same problem and each finds it new."""
    assert client.post(PROMETHEUS, json=alert("the-same-everywhere")).status_code == 201
    assert only()["status"]["deduplication"]["occurrenceCount"] == 1


def test_two_namespaces_are_two_problems(
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
    found: Found,
    namespace: Cluster,
    second: str,
) -> None:
    """The same alert in another namespace is another problem, with its resource there."""
    client = connect(serve(namespaces=(namespace.namespace, second)))
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    answer = client.post(PROMETHEUS, json=alert(labels={"namespace": second}))
    assert (answer.status_code, answer.json()["remediationRequestNamespace"]) == (201, second)
    assert [len(found()), len(found(second))] == [1, 1]


def test_all_namespaces_where_none_is_named(
    serve: Callable[..., Served], connect: Callable[..., httpx.Client], alert: Make, found: Found, second: str
) -> None:
    """Without the setting every namespace is taken, and watched."""
    client = connect(serve(namespaces=()))
    assert client.post(PROMETHEUS, json=alert(labels={"namespace": second})).status_code == 201
    assert client.post(PROMETHEUS, json=alert(labels={"namespace": second})).status_code == 202
    assert len(found(second)) == 1


def test_a_missing_namespace_falls_back(
    serve: Callable[..., Served], connect: Callable[..., httpx.Client], alert: Make, namespace: Cluster, only: Any
) -> None:
    """The resource is made in the fallback namespace, and its label says where it belongs."""
    client = connect(serve(namespaces=()))
    answer = client.post(PROMETHEUS, json=alert(labels={"namespace": "there-is-none-such"}))
    assert (answer.status_code, answer.json()["remediationRequestNamespace"]) == (201, namespace.namespace)
    made = only()
    assert made["metadata"]["labels"][resources.ORIGIN] == "there-is-none-such"
    assert made["spec"]["targetResource"]["namespace"] == "there-is-none-such"


def test_what_fell_back_is_deduplicated(
    serve: Callable[..., Served], connect: Callable[..., httpx.Client], alert: Make, occurrences: Any, eventually: Any
) -> None:
    """The second signal of the missing namespace is a duplicate of the first."""
    client = connect(serve(namespaces=()))
    sent = alert(labels={"namespace": "there-is-none-such"})
    assert [client.post(PROMETHEUS, json=sent).status_code for _ in range(3)] == [201, 202, 202]
    eventually("all are counted", lambda: occurrences() == 3)


def test_two_missing_namespaces_are_two_problems(client: httpx.Client, alert: Make, found: Found) -> None:
    """In the fallback namespace problems of different origins stay apart."""
    for origin in ("missing-one", "missing-two"):
        assert client.post(PROMETHEUS, json=alert(labels={"namespace": origin})).status_code == 201
    assert sorted(item["metadata"]["labels"][resources.ORIGIN] for item in found()) == ["missing-one", "missing-two"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Not_A/Name", "Not_A-Name"),
        ("../../api", "api"),
        ("x" * 300, "x" * 63),
        ("%2e%2e", "2e-2e"),
        ("?limit=1#", "limit-1"),
        ("名", ""),
    ],
    ids=["slash", "path", "long", "escapes", "query", "letters"],
)
def test_a_text_that_can_be_no_namespace_falls_back(
    client: httpx.Client, alert: Make, only: Any, text: str, label: str
) -> None:
    """It never becomes a part of a path; the label has what of it a label can have."""
    answer = client.post(PROMETHEUS, json=alert(labels={"namespace": text}))
    assert answer.status_code == 201, answer.text
    assert only()["metadata"]["labels"][resources.ORIGIN] == label


def test_a_namespace_that_is_not_ours_falls_back(client: httpx.Client, alert: Make, found: Found, second: str) -> None:
    """A gateway of certain namespaces makes nothing in another, though it exists."""
    assert client.post(PROMETHEUS, json=alert(labels={"namespace": second})).status_code == 201
    assert (len(found()), len(found(second))) == (1, 0)


def test_the_namespace_may_come_from_the_exporter(
    client: httpx.Client, alert: Make, only: Any, namespace: Cluster
) -> None:
    """Without `namespace` the label `exported_namespace` says it."""
    labels = {"namespace": None, "exported_namespace": namespace.namespace}
    assert client.post(PROMETHEUS, json=alert(labels=labels)).status_code == 201
    assert resources.ORIGIN not in only()["metadata"]["labels"]


def test_a_namespace_that_appears_is_used(
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
    found: Found,
    rest: Rest,
    namespace: Cluster,
) -> None:
    """A new problem goes to the namespace once it exists; an ongoing one stays with its resource."""
    client = connect(serve(namespaces=()))
    name = f"{namespace.namespace}-later"
    first = alert("first", labels={"namespace": name})
    assert client.post(PROMETHEUS, json=first).json()["remediationRequestNamespace"] == namespace.namespace
    rest.post("/api/v1/namespaces", {"metadata": {"name": name}})
    try:
        assert client.post(PROMETHEUS, json=first).json()["remediationRequestNamespace"] == namespace.namespace
        other = client.post(PROMETHEUS, json=alert("second", labels={"namespace": name}))
        assert (other.status_code, other.json()["remediationRequestNamespace"]) == (201, name)
        assert len(found(name)) == 1
    finally:
        rest.delete(f"/api/v1/namespaces/{name}")


def test_twenty_copies_to_a_missing_namespace_make_one(
    service: Served, connect: Callable[..., httpx.Client], alert: Make, occurrences: Any, eventually: Any
) -> None:
    """Falling back is as exact as anything else."""
    client = connect(service)
    sent = alert(labels={"namespace": "there-is-none-such"})
    with ThreadPoolExecutor(20) as pool:
        codes = sorted(each.status_code for each in pool.map(lambda _: client.post(PROMETHEUS, json=sent), range(20)))
    assert codes == [201] + [202] * 19
    eventually("all are counted", lambda: occurrences() == 20)
