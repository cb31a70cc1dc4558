"""What is repeated and what is not, shown with real answers at the gateway's own connection.

The proxy stands between the gateway and the real server: what it lets pass is the server's, and it counts what comes
by. It is asked for before the gateway, so that it is there as long as the gateway is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster

if TYPE_CHECKING:
    from testinfra.faults.interceptor import Interceptor

PROMETHEUS = "/api/v1/signals/prometheus"
CREATE: dict[str, Any] = {"verb": "create", "resource": "remediationrequests"}
COUNT: dict[str, Any] = {"verb": "patch", "resource": "remediationrequests/status"}
SLACK = 1.5
"""Seconds that a busy machine may add to a pause."""
Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def between(intercept: Callable[[Cluster], Interceptor], namespace: Cluster) -> Interceptor:
    """Give the proxy before this test's server."""
    return intercept(namespace)


@pytest.fixture
def service(
    between: Interceptor,
    serve: Callable[..., Served],
) -> Served:
    """Give a gateway behind the proxy, in place of the usual one."""
    return serve(kubeconfig=between.endpoint.kubeconfig)


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "too_many_requests"), (503, "unavailable"), (504, "gateway_timeout")]
)
def test_a_passing_refusal_is_repeated(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    only: Callable[[], Json],
    metric: Callable[..., float],
    status: int,
    reason: str,
) -> None:
    """One such answer, then success: 201, two attempts, one resource; the repetition is counted by reason and code."""
    with between.answer(status, **CREATE):
        assert client.post(PROMETHEUS, json=alert()).status_code == 201
    assert [each.code for each in between.attempts(**CREATE)] == [status, 201]
    only()
    assert metric("gateway_retry_attempts_total", reason=reason, code=str(status)) == 1
    assert metric("gateway_retry_exhausted_total", reason=reason, code=str(status)) == 0


@pytest.mark.parametrize("status", [429, 503, 504])
def test_a_lasting_refusal_is_given_up_after_three(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    found: Callable[..., list[Json]],
    metric: Callable[..., float],
    status: int,
) -> None:
    """Three attempts, then 503 with Retry-After; the sender's repetition makes the resource."""
    with between.answer(status, times=None, **CREATE):
        answer = client.post(PROMETHEUS, json=alert())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert [each.code for each in between.attempts(**CREATE)] == [status] * 3
    assert found() == []
    reason = {429: "too_many_requests", 503: "unavailable", 504: "gateway_timeout"}[status]
    assert metric("gateway_retry_exhausted_total", reason=reason, code=str(status)) == 1
    assert metric("gateway_crd_creation_failures_total", reason=reason) == 1
    assert client.post(PROMETHEUS, json=alert()).status_code == 201


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500, 501, 502])
def test_other_refusals_are_not_repeated(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    metric: Callable[..., float],
    status: int,
) -> None:
    """One attempt; 400 where the object was refused, else 503 as no sender is at fault."""
    with between.answer(status, **CREATE):
        answer = client.post(PROMETHEUS, json=alert())
    assert answer.status_code == (400 if status in {400, 422} else 503)
    assert [each.code for each in between.attempts(**CREATE)] == [status]
    assert "gateway_retry_attempts_total{" not in client.get("/metrics").text


def test_the_pauses_double(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
) -> None:
    """About 100 ms before the second attempt, about 200 ms before the third, a tenth more or less."""
    with between.answer(503, times=2, **CREATE):
        assert client.post(PROMETHEUS, json=alert()).status_code == 201
    first, second = between.attempts(**CREATE).spacing()
    assert 0.09 <= first <= 0.11 + SLACK
    assert 0.18 <= second <= 0.22 + SLACK


def test_retry_after_is_obeyed(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
) -> None:
    """A 429 with Retry-After: 1 is followed by nothing for a second."""
    with between.answer(429, retry_after=1, **CREATE):
        assert client.post(PROMETHEUS, json=alert()).status_code == 201
    (pause,) = between.attempts(**CREATE).spacing()
    assert 1.0 <= pause <= 1.0 + SLACK


def test_a_long_retry_after_is_handed_on(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
) -> None:
    """One that is longer than any pause of ours ends the attempts, and the sender is told to come back then."""
    with between.answer(429, retry_after=60, **CREATE):
        answer = client.post(PROMETHEUS, json=alert())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert len(between.attempts(**CREATE)) == 1


def test_the_number_of_attempts_is_a_setting(
    between: Interceptor,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
) -> None:
    """With five attempts the fifth succeeds; the last pause is bounded."""
    served = serve(kubeconfig=between.endpoint.kubeconfig, retry_attempts=5, retry_initial=0.05, retry_max=0.1)
    with between.answer(503, times=4, **CREATE):
        assert connect(served).post(PROMETHEUS, json=alert()).status_code == 201
    assert max(between.attempts(**CREATE).spacing()) <= 0.11 + SLACK


def test_one_attempt_means_no_repetition(
    between: Interceptor,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
) -> None:
    """With one attempt the first refusal is the last."""
    served = serve(kubeconfig=between.endpoint.kubeconfig, retry_attempts=1)
    with between.answer(503, **CREATE):
        assert connect(served).post(PROMETHEUS, json=alert()).status_code == 503
    assert len(between.attempts(**CREATE)) == 1


def test_a_reset_connection_is_repeated(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    only: Callable[[], Json],
    metric: Callable[..., float],
) -> None:
    """A connection that breaks before the server has the request: repeated, made once."""
    with between.reset(**CREATE):
        assert client.post(PROMETHEUS, json=alert()).status_code == 201
    only()
    assert metric("gateway_retry_attempts_total", reason="reset", code="none") == 1


def test_a_lost_answer_is_success(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    only: Callable[[], Json],
    occurrences: Callable[[], int],
) -> None:
    """The server made it, and its answer was lost: 201 as if nothing had happened, one resource, counted once."""
    with between.lose_answer(**CREATE):
        answer = client.post(PROMETHEUS, json=alert())
    assert (answer.status_code, answer.json()["status"]) == (201, "created")
    assert answer.json()["remediationRequestName"] == only()["metadata"]["name"]
    assert [each.code for each in between.attempts(**CREATE)] == [201, 409]
    assert client.post(PROMETHEUS, json=alert()).json()["metadata"]["count"] == 2
    assert only()["metadata"]["name"] == answer.json()["remediationRequestName"]


def test_every_answer_lost_and_it_is_still_there(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    only: Callable[[], Json],
) -> None:
    """When even finding it fails, the sender is told 503; its repetition is a duplicate, of one resource."""
    with between.lose_answer(**CREATE), between.reset(times=None, verb="get", resource="remediationrequests"):
        assert client.post(PROMETHEUS, json=alert()).status_code == 503
    assert client.post(PROMETHEUS, json=alert()).status_code == 202
    only()


def test_a_count_whose_answer_was_lost_is_counted_once(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    occurrences: Callable[[], int],
    eventually: Callable[..., None],
    metric: Callable[..., float],
) -> None:
    """The write is repeated, refused for its age, found to be ours, and not added again."""
    client.post(PROMETHEUS, json=alert())
    with between.lose_answer(**COUNT) as lost:
        client.post(PROMETHEUS, json=alert())
        lost.wait(30)
    eventually("it was found", lambda: metric("gateway_tally_writes_total", result="found") == 1)
    assert occurrences() == 2
    client.post(PROMETHEUS, json=alert())
    eventually("the next is added", lambda: occurrences() == 3)


def test_a_count_that_cannot_be_written_is_kept(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    occurrences: Callable[[], int],
    eventually: Callable[..., None],
) -> None:
    """Refused with 503 six times in a row, it is written in the end, and nothing is missing."""
    client.post(PROMETHEUS, json=alert())
    with between.answer(503, times=6, **COUNT) as refused:
        for _ in range(4):
            assert client.post(PROMETHEUS, json=alert()).status_code == 202
        refused.wait(30)
    eventually("all are counted", lambda: occurrences() == 5)


def test_a_count_that_others_were_faster_with(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    occurrences: Callable[[], int],
    eventually: Callable[..., None],
) -> None:
    """Two conflicts, each time read anew, and the count is right."""
    client.post(PROMETHEUS, json=alert())
    with between.answer(409, times=2, **COUNT) as refused:
        client.post(PROMETHEUS, json=alert())
        refused.wait(30)
    eventually("it is counted", lambda: occurrences() == 2)


def test_a_review_is_repeated_too(
    between: Interceptor,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
) -> None:
    """A TokenReview that meets a 503 is repeated; one that meets only these is 503, and not remembered."""
    client = connect(serve(kubeconfig=between.endpoint.kubeconfig, auth="token"))
    headers = {"Authorization": "Bearer nobody"}
    with between.answer(503, times=3, resource="tokenreviews"):
        assert client.post(PROMETHEUS, json=alert(), headers=headers).status_code == 503
    with between.answer(503, resource="tokenreviews"):
        assert client.post(PROMETHEUS, json=alert(), headers=headers).status_code == 401
    assert len(between.attempts(resource="tokenreviews")) == 5


def test_each_failed_attempt_is_a_log_line(
    between: Interceptor,
    client: httpx.Client,
    alert: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two repetitions and the giving up are told, with reason and code."""
    with between.answer(503, times=3, **CREATE):
        client.post(PROMETHEUS, json=alert())
    told: list[Any] = [record.msg for record in caplog.records if record.name == "gateway.retries"]
    assert [(line["event"], line["reason"], line["code"]) for line in told] == [
        ("attempt failed", "unavailable", "503"),
        ("attempt failed", "unavailable", "503"),
        ("gave up", "unavailable", "503"),
    ]
