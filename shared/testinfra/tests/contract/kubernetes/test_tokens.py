"""Who one is: tokens of service accounts, and what a server makes of good and bad ones."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import datetime

import pytest

from shared.testinfra.tests.contract.kubernetes.access import (
    AUTHENTICATION,
    account,
    logged_in,
    review_token,
    token_of,
    user_of,
)
from shared.testinfra.tests.contract.kubernetes.room import Object, Room, named, refused
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.servers.ready import wait_until


def claims(token: str) -> Object:
    """What a token says (its middle part)."""
    middle = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


def whoami(rest: Rest) -> Object:
    """What the server takes us for."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    return dict(rest.post(f"{AUTHENTICATION}/selfsubjectreviews", body)["status"]["userInfo"])


@pytest.fixture
def worker(room: Room) -> Object:
    """A service account."""
    return room.create("serviceaccounts", named("worker"))


def test_a_token_logs_in_as_its_account(cluster: Cluster, room: Room, worker: Object) -> None:
    """With its groups and its uid."""
    with logged_in(cluster, token_of(room, "worker")["token"]) as rest:
        found = whoami(rest)
    assert found["username"] == user_of(room, "worker")
    assert found["uid"] == worker["metadata"]["uid"]
    assert set(found["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{room.name}",
        "system:authenticated",
    }


def test_a_token_says_whose_it_is_and_how_long(room: Room, worker: Object) -> None:
    """It is a JWT; its end is told beside it."""
    status = token_of(room, "worker", expirationSeconds=3600)
    found = claims(status["token"])
    assert found["sub"] == user_of(room, "worker")
    assert found["kubernetes.io"]["namespace"] == room.name
    assert found["kubernetes.io"]["serviceaccount"] == {"name": "worker", "uid": worker["metadata"]["uid"]}
    ends = datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
    assert abs(found["exp"] - ends) <= 1
    assert found["exp"] - found["iat"] == 3600


def test_a_token_of_less_than_ten_minutes_is_refused(room: Room, worker: Object) -> None:
    """The shortest that there is."""
    with refused(422, "Invalid") as said:
        token_of(room, "worker", expirationSeconds=599)
    assert "may not specify a duration less than 10 minutes" in said.value.message


def test_a_token_of_an_account_that_is_not_there_is_404(room: Room) -> None:
    """As any subresource."""
    with refused(404, "NotFound") as said:
        token_of(room, "nobody")
    assert said.value.message == 'serviceaccounts "nobody" not found'


def test_a_review_of_a_good_token_says_who(cluster: Cluster, room: Room, worker: Object, rest: Rest) -> None:
    """And for which audience it was found good."""
    status = review_token(rest, token_of(room, "worker")["token"])
    assert status["authenticated"] is True
    assert status["user"]["username"] == user_of(room, "worker")
    assert status["user"]["uid"] == worker["metadata"]["uid"]
    assert status["audiences"]


@pytest.mark.parametrize("token", ["garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_a_review_of_garbage_is_no(rest: Rest, token: str) -> None:
    """Answered, not refused: the review itself went well."""
    status = review_token(rest, token)
    assert not status.get("authenticated")
    assert status.get("user") == {}


def test_a_review_without_a_token_is_refused(rest: Rest) -> None:
    """There is nothing to look at."""
    with refused(400, "BadRequest") as said:
        review_token(rest, "")
    assert "token is required for TokenReview in authentication" in said.value.message


def test_a_token_is_good_for_its_audience_only(cluster: Cluster, room: Room, worker: Object, rest: Rest) -> None:
    """One for a service does not log in to the server itself."""
    token = token_of(room, "worker", audiences=["https://datastorage.example.com"])["token"]
    assert claims(token)["aud"] == ["https://datastorage.example.com"]
    good = review_token(rest, token, "https://datastorage.example.com", "other")
    assert (good["authenticated"], good["audiences"]) == (True, ["https://datastorage.example.com"])
    assert not review_token(rest, token, "other").get("authenticated")
    assert not review_token(rest, token).get("authenticated")
    with logged_in(cluster, token) as mine, refused(401, "Unauthorized"):
        mine.get("/api")


def test_a_changed_token_is_not_good(room: Room, worker: Object, rest: Rest) -> None:
    """One letter of its claims or of its signature."""
    head, middle, tail = token_of(room, "worker")["token"].split(".")
    other = "A" if tail[10] != "A" else "B"
    assert not review_token(rest, f"{head}.{middle}.{tail[:10]}{other}{tail[11:]}").get("authenticated")
    forged = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    forged["sub"] = "system:serviceaccount:kube-system:default"
    body = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    assert not review_token(rest, f"{head}.{body}.{tail}").get("authenticated")


def test_a_token_ends_with_its_account(cluster: Cluster, room: Room, worker: Object, rest: Rest) -> None:
    """And a new account of the same name is another."""
    token = token_of(room, "worker")["token"]
    room.delete("serviceaccounts", "worker")
    wait_until(lambda: not review_token(rest, token).get("authenticated"), what="the token is no good", timeout=30)
    room.create("serviceaccounts", named("worker"))
    assert not review_token(rest, token).get("authenticated")

    def is_refused() -> bool:
        with logged_in(cluster, token) as mine:
            try:
                mine.get("/api")
            except ApiError as exc:
                return exc.status == 401
        return False

    wait_until(is_refused, what="the token logs in no more", timeout=30)


def test_a_bad_token_is_401(cluster: Cluster, room: Room) -> None:
    """Not 403, and not taken for nobody."""
    with logged_in(cluster, "garbage") as mine, refused(401, "Unauthorized") as said:
        mine.get(room.path("configmaps"))
    assert said.value.message == "Unauthorized"


def test_without_a_login_one_is_nobody(cluster: Cluster, room: Room) -> None:
    """403 as `system:anonymous`."""
    nobody = dataclasses.replace(cluster, token="", cert_file="", key_file="")
    with Rest(nobody) as mine, refused(403, "Forbidden") as said:
        mine.get(room.path("configmaps"))
    assert 'User "system:anonymous" cannot list resource "configmaps"' in said.value.message


def test_nobody_may_ask_for_health_and_version(cluster: Cluster) -> None:
    """Load balancers do."""
    with Rest(dataclasses.replace(cluster, token="", cert_file="", key_file="")) as mine:
        assert mine.get("/readyz") == {"message": "ok"}
        assert mine.get("/version")["gitVersion"]
        with refused(403, "Forbidden") as said:
            mine.get("/api")
    assert said.value.message == 'forbidden: User "system:anonymous" cannot get path "/api"'


def test_reviewing_tokens_is_a_right(cluster: Cluster, room: Room) -> None:
    """A service that checks its callers needs it (`system:auth-delegator`)."""
    with account(cluster, room, "worker") as mine, refused(403, "Forbidden") as said:
        review_token(mine.rest, "any")
    assert 'cannot create resource "tokenreviews" in API group "authentication.k8s.io"' in said.value.message


def test_the_administrator_is_one(rest: Rest) -> None:
    """By certificate or by token: what the stand gives out may do everything."""
    assert "system:authenticated" in whoami(rest)["groups"]
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
    }
    assert rest.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)["status"]["allowed"] is True
