"""Kinds that every service uses: what the server does to them beyond storing."""

from __future__ import annotations

import base64
import ipaddress

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, named, names_of, refused
from testinfra.kubernetes.rest import ApiError


def encoded(text: str) -> str:
    """As secrets hold it."""
    return base64.b64encode(text.encode()).decode()


def test_a_secrets_strings_are_stored_encoded(room: Room) -> None:
    """`stringData` is for writing only."""
    made = room.create("secrets", named("a", stringData={"user": "admin"}, data={"k": encoded("v")}))
    assert made["data"] == {"user": encoded("admin"), "k": encoded("v")}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


def test_a_secrets_strings_win_over_its_data(room: Room) -> None:
    """Of the same key."""
    made = room.create("secrets", named("a", stringData={"k": "new"}, data={"k": encoded("old")}))
    assert made["data"] == {"k": encoded("new")}


def test_a_patch_of_a_secrets_strings_is_stored_encoded(room: Room) -> None:
    """Not only a create's."""
    room.create("secrets", named("a", stringData={"k": "one"}))
    assert room.patch("secrets", "a", {"stringData": {"k": "two"}})["data"] == {"k": encoded("two")}


def test_data_that_is_not_base64_is_refused(room: Room) -> None:
    """In secrets, and in the binary data of config maps."""
    with refused(400, "BadRequest"):
        room.create("secrets", named("a", data={"k": "not base64!"}))
    with refused(400, "BadRequest"):
        room.create("configmaps", named("a", binaryData={"k": "not base64!"}))


def test_a_secrets_type_cannot_change(room: Room) -> None:
    """It says what is in it."""
    made = room.create("secrets", named("a"))
    with refused(422, "Invalid") as said:
        room.put("secrets", {**made, "type": "example.com/other"})
    assert "type: Invalid value" in said.value.message


def test_a_config_map_holds_text_and_bytes(room: Room) -> None:
    """Under different keys."""
    made = room.create(
        "configmaps", named("a", data={"t": "text"}, binaryData={"b": base64.b64encode(b"\xff\0").decode()})
    )
    assert (made["data"], made["binaryData"]) == ({"t": "text"}, {"b": "/wA="})
    with refused(422, "Invalid"):
        room.create("configmaps", named("b", data={"k": "text"}, binaryData={"k": "/wA="}))


@pytest.mark.parametrize("key", ["a b", "", "a/b"])
def test_keys_of_data_have_a_form(room: Room, key: str) -> None:
    """They become names of files."""
    for resource, value in (("configmaps", "x"), ("secrets", encoded("x"))):
        with refused(422, "Invalid"):
            room.create(resource, named("a", data={key: value}))


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_what_is_immutable_stays(room: Room, resource: str) -> None:
    """Its data, and that it is so; labels may change, and it may be deleted."""
    value = encoded("v")
    room.create(resource, named("a", data={"k": value}, immutable=True))
    for change in ({"data": {"k": encoded("w")}}, {"immutable": False}):
        with refused(422, "Invalid") as said:
            room.patch(resource, "a", change)
        assert "field is immutable when `immutable` is set" in said.value.message
    assert room.patch(resource, "a", {"metadata": {"labels": {"x": "y"}}})["metadata"]["labels"] == {"x": "y"}
    room.delete(resource, "a")


def test_data_of_more_than_a_megabyte_is_refused(room: Room) -> None:
    """1 MiB is the bound for all of it."""
    with refused(422, "Invalid") as said:
        room.create("configmaps", named("a", data={"k": "x" * (1024 * 1024 + 1)}))
    assert "Too long: may not be more than 1048576 bytes" in said.value.message


def service(name: str, **spec: object) -> Object:
    """A service of one port."""
    return named(name, spec={"ports": [{"port": 80}], **spec})


def test_a_service_gets_an_address_and_defaults(room: Room) -> None:
    """Of the cluster's own range; each another."""
    made = [room.create("services", service(name))["spec"] for name in ("a", "b")]
    addresses = {str(ipaddress.ip_address(each["clusterIP"])) for each in made}
    assert len(addresses) == 2
    assert made[0]["clusterIPs"] == [made[0]["clusterIP"]]
    assert (made[0]["type"], made[0]["sessionAffinity"]) == ("ClusterIP", "None")
    assert made[0]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]


def test_a_headless_service_has_no_address(room: Room) -> None:
    """`None` is kept as it is."""
    assert room.create("services", service("a", clusterIP="None"))["spec"]["clusterIP"] == "None"


def test_a_services_address_cannot_change(room: Room) -> None:
    """Clients hold it."""
    room.create("services", service("a"))
    with refused(422, "Invalid") as said:
        room.patch("services", "a", {"spec": {"clusterIP": "10.0.0.250", "clusterIPs": ["10.0.0.250"]}})
    assert "may not change once set" in said.value.message


def test_a_service_without_ports_is_refused(room: Room) -> None:
    """It would lead nowhere."""
    with refused(422, "Invalid") as said:
        room.create("services", named("a", spec={}))
    assert "spec.ports: Required value" in said.value.message


def event(room: Room, name: str, about: str) -> Object:
    """An event about a config map."""
    involved = {"apiVersion": "v1", "kind": "ConfigMap", "name": about, "namespace": room.name}
    return named(name, involvedObject=involved, reason="Tested", message="it was", type="Normal")


def test_events_are_found_by_what_they_are_about(room: Room) -> None:
    """As `kubectl describe` does it."""
    room.create("events", event(room, "one", "a"))
    room.create("events", event(room, "two", "b"))
    found = room.listed("events", fieldSelector="involvedObject.name=b,involvedObject.kind=ConfigMap,reason=Tested")
    assert names_of(found) == ["two"]


def test_an_event_is_seen_in_both_of_its_groups(room: Room) -> None:
    """Core and events.k8s.io: one object."""
    made = room.create("events", event(room, "one", "a"))
    other = room.rest.get(f"/apis/events.k8s.io/v1/namespaces/{room.name}/events/one")
    assert other["metadata"]["uid"] == made["metadata"]["uid"]
    assert (other["regarding"]["name"], other["note"]) == ("a", "it was")


def test_a_lease_is_taken_by_one_of_two(room: Room) -> None:
    """Who comes second with the same version is refused: that is all that leader election rests on."""
    made = room.create("leases", named("a", spec={"leaseDurationSeconds": 15}))
    taken = room.put("leases", {**made, "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15}})
    with refused(409, "Conflict"):
        room.put("leases", {**made, "spec": {"holderIdentity": "two", "leaseDurationSeconds": 15}})
    assert room.get("leases", "a") == taken


def test_a_leases_times_have_microseconds(room: Room) -> None:
    """As they were written."""
    when = "2026-11-21T10:00:00.123456Z"
    made = room.create("leases", named("a", spec={"renewTime": when, "leaseDurationSeconds": 1}))
    assert made["spec"]["renewTime"] == when


def test_a_lease_of_no_time_is_refused(room: Room) -> None:
    """It must last."""
    with refused(422, "Invalid") as said:
        room.create("leases", named("a", spec={"leaseDurationSeconds": 0}))
    assert "spec.leaseDurationSeconds" in said.value.message


def test_a_pod_waits_for_a_scheduler_that_is_not_there(room: Room) -> None:
    """No kubelet and no scheduler on any rung here: a pod is an object like another."""
    made = room.create("pods", named("a", spec={"containers": [{"name": "main", "image": "one"}]}))
    assert made["status"]["phase"] == "Pending"
    assert made["spec"]["restartPolicy"] == "Always"
    room.delete("pods", "a")
    assert room.gone("pods", "a")


def test_a_claim_that_no_pod_uses_goes_when_it_is_deleted(room: Room) -> None:
    """Or its namespace would never end: a real cluster holds claims by a finalizer, and lets go of unused ones."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert room.create("persistentvolumeclaims", named("a", spec=spec))["status"]["phase"] == "Pending"
    room.delete("persistentvolumeclaims", "a")
    room.await_gone("persistentvolumeclaims", "a", within=20)


def test_a_pods_image_may_change_and_its_name_of_containers_may_not(room: Room) -> None:
    """Most of a pod's spec is fixed."""
    made = room.create("pods", named("a", spec={"containers": [{"name": "main", "image": "one"}]}))
    made["spec"]["containers"][0]["image"] = "two"
    assert room.put("pods", made)["spec"]["containers"][0]["image"] == "two"


def test_a_role_binding_cannot_change_its_role(room: Room) -> None:
    """Only delete it and bind anew."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one"}
    made = room.create("rolebindings", named("a", subjects=[], roleRef=reference))
    with refused(422, "Invalid") as said:
        room.put("rolebindings", {**made, "roleRef": reference | {"name": "two"}})
    assert "cannot change roleRef" in said.value.message


def test_many_kinds_may_be_listed_while_empty(room: Room) -> None:
    """An operator starts by listing all it may meet."""
    paths = [
        f"/apis/apps/v1/namespaces/{room.name}/deployments",
        f"/apis/apps/v1/namespaces/{room.name}/statefulsets",
        f"/apis/batch/v1/namespaces/{room.name}/jobs",
        f"/api/v1/namespaces/{room.name}/persistentvolumeclaims",
        f"/apis/networking.k8s.io/v1/namespaces/{room.name}/networkpolicies",
    ]
    try:
        found = [room.rest.get(path)["items"] for path in paths]
    except ApiError as exc:
        raise AssertionError(f"not served: {exc}") from exc
    assert found == [[], [], [], [], []]
