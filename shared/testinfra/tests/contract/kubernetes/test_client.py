"""The official client, as services use it: models, custom objects, watch, informer, leader election."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from shared.testinfra.tests.contract.kubernetes.official import (
    DynamicClient,
    ElectionConfig,
    LeaderElection,
    LeaseLock,
    SharedInformer,
    client,
    watch,
)
from shared.testinfra.tests.contract.kubernetes.room import GROUP, Room, named, widget
from testinfra.kubernetes.clients import Kubernetes
from testinfra.servers.ready import wait_until


@pytest.fixture(scope="session")
def api(server: Kubernetes) -> Any:
    """The official client of this rung."""
    return server.client()


@pytest.fixture
def core(api: Any) -> Any:
    """Its core group."""
    return client.CoreV1Api(api)


def config_map(name: str, **data: str) -> Any:
    """A model."""
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data or None)


def test_an_object_goes_there_and_back_as_a_model(core: Any, room: Room) -> None:
    """With its times as times."""
    made = core.create_namespaced_config_map(room.name, config_map("a", k="v"))
    read = core.read_namespaced_config_map("a", room.name)
    assert read == made
    assert read.data == {"k": "v"}
    assert isinstance(read.metadata.creation_timestamp, datetime)


def test_a_refusal_has_status_reason_and_body(core: Any, room: Room) -> None:
    """The body is the server's Status."""
    with pytest.raises(client.ApiException) as caught:
        core.read_namespaced_config_map("none", room.name)
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")
    assert '"reason":"NotFound"' in caught.value.body.replace(" ", "")


def test_an_old_model_conflicts(core: Any, room: Room) -> None:
    """409 on replace."""
    old = core.create_namespaced_config_map(room.name, config_map("a"))
    core.patch_namespaced_config_map("a", room.name, {"data": {"k": "v"}})
    with pytest.raises(client.ApiException) as caught:
        core.replace_namespaced_config_map("a", room.name, old)
    assert caught.value.status == 409


def test_the_client_patches_strategically_by_itself(core: Any, room: Room) -> None:
    """Which is how its containers are merged by name."""
    container = client.V1Container(name="main", image="one")
    spec = client.V1PodSpec(containers=[container, client.V1Container(name="side", image="two")])
    core.create_namespaced_pod(room.name, client.V1Pod(metadata=client.V1ObjectMeta(name="a"), spec=spec))
    change = {"spec": {"containers": [{"name": "side", "image": "three"}]}}
    done = core.patch_namespaced_pod("a", room.name, change)
    assert {each.name: each.image for each in done.spec.containers} == {"main": "one", "side": "three"}


def test_custom_objects_work_from_create_to_delete(api: Any, custom: Room) -> None:
    """As plain dicts."""
    objects = client.CustomObjectsApi(api)
    where = {"group": GROUP, "version": "v1", "namespace": custom.name, "plural": "widgets"}
    made = objects.create_namespaced_custom_object(body=custom.body("widgets", widget("a")), **where)
    assert made["spec"] == {"size": 1, "color": "red"}
    status = {"status": {"phase": "Ready"}}
    assert objects.patch_namespaced_custom_object_status(name="a", body=status, **where)["status"] == status["status"]
    assert len(objects.list_namespaced_custom_object(**where)["items"]) == 1
    objects.delete_namespaced_custom_object(name="a", **where)
    assert objects.list_namespaced_custom_object(**where)["items"] == []


def test_definitions_are_read_as_models(api: Any, custom: Room) -> None:
    """With all that a model insists on."""
    extensions = client.ApiextensionsV1Api(api)
    found = extensions.read_custom_resource_definition(f"widgets.{GROUP}")
    assert [each.name for each in found.spec.versions] == ["v1", "v1beta1"]
    assert "Established" in {each.type for each in found.status.conditions if each.status == "True"}


def test_the_dynamic_client_finds_kinds_by_discovery(api: Any, custom: Room) -> None:
    """Built-in ones and custom ones."""
    dynamic = DynamicClient(api)
    widgets = wait_until(lambda: _find(dynamic, "Widget"), what="discovery has widgets", timeout=20)
    made = widgets.create(body=custom.body("widgets", widget("a")), namespace=custom.name)
    assert made.spec.color == "red"
    assert [each.metadata.name for each in widgets.get(namespace=custom.name).items] == ["a"]
    secrets = dynamic.resources.get(api_version="v1", kind="Secret")
    assert secrets.get(namespace=custom.name).items == []


def _find(dynamic: Any, kind: str) -> Any:
    found = list(dynamic.resources.search(api_version=f"{GROUP}/v1", kind=kind))
    if not found:
        dynamic.resources.invalidate_cache()
    return found[0] if found else None


def test_pages_go_through_the_client(core: Any, room: Room) -> None:
    """`_continue` and `limit`."""
    for number in range(5):
        room.create("secrets", named(f"s{number}"))
    first = core.list_namespaced_secret(room.name, limit=3)
    rest = core.list_namespaced_secret(room.name, limit=3, _continue=first.metadata._continue)
    assert [each.metadata.name for each in first.items + rest.items] == [f"s{number}" for number in range(5)]


def test_a_watch_gives_models(core: Any, room: Room) -> None:
    """From a list's version on."""
    start = core.list_namespaced_secret(room.name).metadata.resource_version
    room.create("secrets", named("a"))
    stream = watch.Watch()
    for event in stream.stream(core.list_namespaced_secret, room.name, resource_version=start, timeout_seconds=20):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "a")
        stream.stop()


def test_a_watch_of_custom_objects_gives_dicts(api: Any, custom: Room) -> None:
    """With what is there first."""
    custom.create("widgets", widget("a"))
    objects, stream = client.CustomObjectsApi(api), watch.Watch()
    for event in stream.stream(
        objects.list_namespaced_custom_object, GROUP, "v1", custom.name, "widgets", timeout_seconds=20
    ):
        assert (event["type"], event["object"]["spec"]["size"]) == ("ADDED", 1)
        stream.stop()


def test_one_deletes_with_options(core: Any, room: Room) -> None:
    """Preconditions in a model."""
    made = core.create_namespaced_config_map(room.name, config_map("a"))
    wrong = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="8ee2a92b-1f2f-4bbd-9b5d-4dd3be1a76b3"))
    with pytest.raises(client.ApiException) as caught:
        core.delete_namespaced_config_map("a", room.name, body=wrong)
    assert caught.value.status == 409
    right = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=made.metadata.uid))
    core.delete_namespaced_config_map("a", room.name, body=right)
    assert room.gone("configmaps", "a")


def test_a_service_checks_its_caller_and_his_rights(api: Any, core: Any, room: Room) -> None:
    """TokenReview, then SubjectAccessReview: what an API behind service accounts does with every request."""
    core.create_namespaced_service_account(
        room.name, client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="caller"))
    )
    asked = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=["service"]))
    token = core.create_namespaced_service_account_token("caller", room.name, asked).status.token
    review = client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token, audiences=["service"]))
    user = client.AuthenticationV1Api(api).create_token_review(review).status.user
    assert user.username == f"system:serviceaccount:{room.name}:caller"
    attributes = client.V1ResourceAttributes(group="", resource="services", verb="create", namespace=room.name)
    access = client.V1SubjectAccessReview(
        spec=client.V1SubjectAccessReviewSpec(user=user.username, groups=user.groups, resource_attributes=attributes)
    )
    assert client.AuthorizationV1Api(api).create_subject_access_review(access).status.allowed is False


def test_the_version_is_read_as_a_model(api: Any, server: Kubernetes) -> None:
    """All fields that the model insists on are there."""
    assert client.VersionApi(api).get_code().git_version == f"v{server.endpoint.version}"


@pytest.fixture
def informed(core: Any, room: Room) -> Iterator[tuple[Any, list[tuple[str, str]]]]:
    """An informer of the room's secrets that runs, and what it has told."""
    room.create("secrets", named("first"))
    # Its stop waits for its stream to end, which a resync of a second does.
    informer = SharedInformer(core.list_namespaced_secret, namespace=room.name, resync_period=1)
    told: list[tuple[str, str]] = []
    for kind in ("ADDED", "MODIFIED", "DELETED"):
        informer.add_event_handler(kind, lambda found, kind=kind: told.append((kind, found.metadata.name)))
    informer.start()
    yield informer, told
    informer.stop()


def test_an_informer_knows_what_is_there_and_what_happens(
    informed: tuple[Any, list[tuple[str, str]]], room: Room
) -> None:
    """Its cache follows; its handlers are called."""
    informer, told = informed

    def cached() -> dict[str, str]:
        return {each.metadata.name: (each.metadata.labels or {}).get("x", "") for each in informer.cache.list()}

    wait_until(lambda: cached() == {"first": ""}, what="the first is in the cache", timeout=20)
    room.create("secrets", named("second"))
    room.patch("secrets", "second", {"metadata": {"labels": {"x": "y"}}})
    wait_until(lambda: cached() == {"first": "", "second": "y"}, what="the second is in the cache", timeout=20)
    room.delete("secrets", "first")
    wait_until(lambda: cached() == {"second": "y"}, what="the first is out of the cache", timeout=20)
    assert {("ADDED", "first"), ("ADDED", "second"), ("MODIFIED", "second"), ("DELETED", "first")} <= set(told)


def candidate(api: Any, room: Room, who: str, started: threading.Event, stopped: threading.Event) -> Any:
    """One who wants to lead, and stops leading as soon as it does."""

    def lead() -> None:
        started.set()
        raise RuntimeError("done leading")

    lock = LeaseLock("leader", room.name, who)
    lock.api_instance = client.CoordinationV1Api(api)
    timing = {"lease_duration": 15, "renew_deadline": 10, "retry_period": 1}
    return LeaderElection(ElectionConfig(lock, onstarted_leading=lead, onstopped_leading=stopped.set, **timing))


def test_of_two_candidates_one_leads(api: Any, room: Room) -> None:
    """The other sees the lease held; the leader renews it."""
    event = threading.Event()
    first, second = (candidate(api, room, who, event, event) for who in ("first", "second"))
    assert first.try_acquire_or_renew() is True
    assert second.try_acquire_or_renew() is False
    assert first.try_acquire_or_renew() is True
    assert room.get("leases", "leader")["spec"]["holderIdentity"] == "first"


def test_a_leader_is_told_that_it_leads_and_that_it_stops(api: Any, room: Room) -> None:
    """The whole loop, until its work ends."""
    started, stopped = threading.Event(), threading.Event()
    election = candidate(api, room, "one", started, stopped)
    runner = threading.Thread(target=election.run)
    runner.start()
    assert started.wait(20)
    runner.join(20)
    assert stopped.is_set()
