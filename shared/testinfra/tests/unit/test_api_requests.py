"""What a request means, which requests are meant, and what the book of a proxy makes of both."""

from __future__ import annotations

import dataclasses
import importlib
import sys

import pytest

from testinfra.errors import NotAvailable
from testinfra.faults.requests import Attempt, Attempts, Match, understand
from testinfra.faults.rules import Book, NotSeen, Order

CORE, APPS = "/api/v1", "/apis/apps/v1"


def seen(method: str, target: str, body: bytes = b"") -> Attempt:
    path, _, query = target.partition("?")
    return understand(method, path, query, at=0.0, body=body)


@pytest.mark.parametrize(
    ("method", "target", "verb", "resource", "namespace", "name"),
    [
        ("GET", f"{CORE}/namespaces/a/pods", "list", "pods", "a", ""),
        ("GET", f"{CORE}/namespaces/a/pods?watch=true", "watch", "pods", "a", ""),
        ("GET", f"{CORE}/namespaces/a/pods?watch=1&fieldSelector=metadata.name%3Dx", "watch", "pods", "a", "x"),
        ("GET", f"{CORE}/pods?watch=false", "list", "pods", "", ""),
        ("GET", f"{CORE}/namespaces/a/pods/x", "get", "pods", "a", "x"),
        ("GET", f"{CORE}/namespaces/a/pods/x/log", "get", "pods/log", "a", "x"),
        ("PUT", f"{APPS}/namespaces/a/deployments/x/status", "update", "deployments/status", "a", "x"),
        ("PATCH", f"{APPS}/namespaces/a/deployments/x", "patch", "deployments", "a", "x"),
        ("DELETE", f"{APPS}/namespaces/a/deployments/x", "delete", "deployments", "a", "x"),
        ("DELETE", f"{APPS}/namespaces/a/deployments", "deletecollection", "deployments", "a", ""),
        ("GET", f"{CORE}/namespaces", "list", "namespaces", "", ""),
        ("GET", f"{CORE}/namespaces/a", "get", "namespaces", "a", "a"),
        ("PUT", f"{CORE}/namespaces/a/finalize", "update", "namespaces/finalize", "a", "a"),
        ("GET", f"{CORE}/nodes/n", "get", "nodes", "", "n"),
        ("GET", "/version", "get", "", "", ""),
        ("GET", "/apis/apps/v1", "get", "", "", ""),
        ("POST", "/livez", "post", "", "", ""),
    ],
)
def test_a_request_means_what_it_means_to_the_authorizer(
    method: str, target: str, verb: str, resource: str, namespace: str, name: str
) -> None:
    """As Kubernetes' RequestInfo reads method, path and query."""
    got = seen(method, target)
    assert (got.verb, got.resource, got.namespace, got.name) == (verb, resource, namespace, name)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"metadata": {"name": "x"}}', "x"),
        (b'{"metadata": {"generateName": "x-"}}', ""),
        (b"k8s\0\n", ""),
        (b"[]", ""),
    ],
)
def test_a_created_object_has_the_name_of_its_body(body: bytes, name: str) -> None:
    """Where it is JSON and has one."""
    assert seen("POST", f"{CORE}/namespaces/a/pods", body).name == name


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(verb="update", resource="deployments/status"), True),
        (Match(resource="deployments"), False),
        (Match(resource="deployments*"), True),
        (Match(group="apps", namespace="a", name="x?"), True),
        (Match(name="X1"), False),
        (Match(path=f"{APPS}/*/status"), True),
        (Match(when=lambda one: one.name == "x1"), True),
        (Match(verb="get", when=lambda one: one.code // 0 == 0), False),
    ],
)
def test_patterns_choose_requests(match: Match, fits: bool) -> None:
    """Every field has to fit; the function is asked last."""
    assert match.fits(seen("PUT", f"{APPS}/namespaces/a/deployments/x1/status")) is fits


def test_a_match_in_words_names_what_it_asks_for() -> None:
    """And nothing else."""
    assert str(Match(verb="get", name="x")) == "verb='get', name='x'"
    assert str(Match()) == "any"


def test_spacing_is_between_neighbours() -> None:
    """One less than there are attempts; none for none."""
    one = seen("GET", "/version")
    three = Attempts(dataclasses.replace(one, at=at) for at in (1.0, 1.5, 3.5))
    assert three.spacing() == [0.5, 2.0]
    assert Attempts().spacing() == []


def test_many_attempts_are_told_shortly() -> None:
    """The last twenty, and how many came before."""
    one = seen("GET", "/version?a=b")
    lines = Attempts([one] * 25).lines()
    assert lines[0] == "(5 earlier ones)"
    assert lines[1:] == ["00:00:00.000 get /version?a=b -> no answer"] * 20


def order(times: int | None, verb: str = "*", kind: str = "reset") -> Order:
    return Order(kind=kind, match=Match(verb=verb), times=times)  # type: ignore[arg-type]  # one of the literals


def test_orders_are_met_in_the_order_they_were_given() -> None:
    """The first that fits and is not used up."""
    book = Book("https://proxy")
    first, second = book.add(order(1, "get")), book.add(order(None))
    get, post = seen("GET", "/version"), seen("POST", "/version")
    assert [book.receive(one)[1] for one in (post, get, get)] == [second, first, second]
    book.end(second)
    assert book.receive(get)[1] is None


def test_a_fault_that_did_not_happen_is_met_by_the_next_request() -> None:
    """What was chosen and spared counts for nothing."""
    book = Book("https://proxy")
    rule = book.add(order(1, kind="lose_answer"))
    get = seen("GET", "/version")
    number, met = book.receive(get)
    assert met is rule
    assert book.receive(get)[1] is None
    book.spare(number, rule)
    assert book.receive(get)[1] is rule
    assert [one.fault for one in book.log()] == ["", "", "lose_answer"]


@pytest.mark.parametrize(("times", "fired", "done"), [(None, 0, False), (None, 3, True), (2, 1, False), (2, 2, True)])
def test_an_order_is_done_when_it_happened_often_enough(times: int | None, fired: int, done: bool) -> None:
    """As often as ordered; one for always is done with the first."""
    book = Book("https://proxy")
    rule = book.add(order(times))
    for _ in range(fired):
        book.fire(rule)
    assert rule.done is done
    if done:
        return book.check()
    with pytest.raises(NotSeen, match=f"happened to {fired} of"):
        book.check()
    return book.check()  # told once


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that brings it."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "testinfra.faults.loopback", raising=False)
    with pytest.raises(NotAvailable, match=r"aiohttp[\s\S]*pip install 'testinfra-stand\[kubernetes\]'"):
        importlib.import_module("testinfra.faults.loopback")
