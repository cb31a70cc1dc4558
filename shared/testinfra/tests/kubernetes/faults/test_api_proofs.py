"""A fault that did not happen fails its test, and a fault that did is undone whatever becomes of the test."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.sandbox import Sandbox

NEVER_HAPPENED = """
from testinfra.kubernetes.rest import Rest

def test_that_orders_and_does_not_ask(intercept, namespace):
    intercept(namespace).answer(429, times=2, verb="create")

def test_that_asks_for_something_else(intercept, namespace):
    api = intercept(namespace)
    api.lose_answer(verb="create")
    with Rest(api.endpoint) as rest:
        rest.get(f"/api/v1/namespaces/{namespace.namespace}/configmaps")
"""


def test_an_order_that_nobody_met_fails_the_test_at_its_end(sandbox: Sandbox) -> None:
    """The bodies of both pass; that the service never asked is found out."""
    sandbox.write(test_it=NEVER_HAPPENED)
    run = sandbox.pytest("--kubernetes=fake")
    assert run.code == 1
    assert (run.count("tests"), run.count("failures"), run.count("errors")) == (2, 0, 2)
    assert "the fault 'answer 429' happened to 0 of 2 requests (verb='create')" in run.output
    assert "no request at all came to https://127.0.0.1:" in run.output
    assert "the fault 'lose_answer' happened to 0 of 1 requests (verb='create')" in run.output
    assert "-> 200" in run.output


LEFT_IN_FORCE = """
import pytest
from testinfra.kubernetes.rest import Rest

OBJECTS = [
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
]
RULE = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}

def ours(kubernetes):
    items = [item for path in OBJECTS for item in kubernetes.rest().get(path)["items"]]
    return [item["metadata"]["name"] for item in items if item["metadata"]["name"].startswith("sample")]

def test_that_fails_in_the_middle(throttle, revoke, intercept, service_account, kubernetes):
    throttle(service_account([RULE]))
    revoke(service_account([RULE]))
    intercept(service_account([RULE])).endpoint
    assert len(ours(kubernetes)) == 3
    pytest.fail("in the middle")

def test_after_it(kubernetes):
    assert ours(kubernetes) == []
"""


def test_what_is_in_force_when_a_test_fails_is_undone(sandbox: Sandbox) -> None:
    """No FlowSchema, no level, no webhook is there for the next test."""
    sandbox.write(test_it=LEFT_IN_FORCE)
    run = sandbox.pytest("--kubernetes=apiserver")
    assert "in the middle" in run.output
    assert (run.count("tests"), run.count("failures"), run.count("errors")) == (2, 1, 0), run.output


BREAKS_AND_IS_KILLED = """
import os, signal
def test_it(apiserver_outage):
    apiserver_outage.begin("{how}")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_a_run_that_is_killed_in_the_middle_of_an_outage_leaves_nothing(sandbox: Sandbox, how: str) -> None:
    """Not even a paused API server, which hears no gentle signal, nor its etcd."""
    sandbox.write(test_it=BREAKS_AND_IS_KILLED.format(how=how))
    assert sandbox.pytest("--kubernetes=apiserver").code == -9
