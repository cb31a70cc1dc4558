"""Custom resource definitions: from the install to the day they are taken away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.testinfra.tests.contract.kubernetes.room import (
    GROUP,
    LOWEST,
    Object,
    Room,
    causes,
    names_of,
    refused,
    widget,
)
from shared.testinfra.tests.contract.kubernetes.widgets import CRDS, definition, install, served
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.servers.ready import wait_until

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.fixture
def own(room: Room) -> Iterator[Object]:
    """A definition of this test's own, not yet installed."""
    plural = "x" + room.name.replace("-", "")[-50:]
    yield definition(plural, plural.capitalize(), ANYTHING)
    try:
        room.rest.delete(f"{CRDS}/{plural}.{GROUP}")
    except ApiError as exc:
        if exc.status != 404:
            raise


def collection(crd: Object, room: Room, version: str = "v1") -> str:
    """The path of its objects in the room."""
    return f"/apis/{GROUP}/{version}/namespaces/{room.name}/{crd['spec']['names']['plural']}"


def instance(crd: Object, name: str, **fields: object) -> Object:
    """An object of it."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": crd["spec"]["names"]["kind"],
        "metadata": {"name": name},
        **fields,
    }


def test_an_installed_definition_is_established(room: Room, own: Object) -> None:
    """Its names are accepted; what is stored is listed."""
    status = install(room.rest, own)["status"]
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert status["storedVersions"] == ["v1"]
    assert status["acceptedNames"]["kind"] == own["spec"]["names"]["kind"]


def test_an_established_definition_shows_in_discovery(room: Room, own: Object) -> None:
    """With its verbs, and its status beside it."""
    install(room.rest, own)
    plural = own["spec"]["names"]["plural"]

    def shown() -> dict[str, Object]:
        found = {each["name"]: each for each in room.rest.get(f"/apis/{GROUP}/v1")["resources"]}
        return found if plural in found else {}

    found = wait_until(shown, what=f"discovery shows {plural}", timeout=20)
    assert set(found[plural]["verbs"]) == {
        *("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
    }
    assert found[plural]["namespaced"] is True
    assert set(found[f"{plural}/status"]["verbs"]) == {"get", "patch", "update"}


def test_a_definitions_name_must_be_plural_and_group(room: Room, own: Object) -> None:
    """So that two cannot define one resource."""
    own["metadata"]["name"] = f"other.{GROUP}"
    with refused(422, "Invalid") as said:
        room.rest.post(CRDS, own)
    assert "metadata.name" in said.value.message


def test_a_definition_must_have_a_schema(room: Room, own: Object) -> None:
    """Since apiextensions v1."""
    del own["spec"]["versions"][0]["schema"]
    with refused(422, "Invalid") as said:
        room.rest.post(CRDS, own)
    assert causes(said.value) == [("spec.versions[0].schema.openAPIV3Schema", "FieldValueRequired")]


def test_a_definition_must_store_exactly_one_version(room: Room, own: Object) -> None:
    """Two that are stored, or none."""
    own["spec"]["versions"].append({**own["spec"]["versions"][0], "name": "v2"})
    with refused(422, "Invalid") as said:
        room.rest.post(CRDS, own)
    assert "must have exactly one version marked as storage version" in said.value.message


def test_defaults_of_names_are_filled_in(room: Room, own: Object) -> None:
    """Singular and list kind from kind."""
    kind = own["spec"]["names"]["kind"]
    del own["spec"]["names"]["singular"], own["spec"]["names"]["listKind"]
    names = install(room.rest, own)["spec"]["names"]
    assert (names["singular"], names["listKind"]) == (kind.lower(), f"{kind}List")


@pytest.mark.parametrize("group", [GROUP, "nobody.example.com"])
def test_an_unknown_kind_is_404_in_plain_words(custom: Room, group: str) -> None:
    """No Status object: there is no resource that could say more. Clients see it that come too early."""
    with refused(404, "") as said:
        custom.rest.get(f"/apis/{group}/v1/namespaces/{custom.name}/nothings")
    assert said.value.message.strip() == "404 page not found"


def test_a_version_that_is_not_served_is_404(room: Room, own: Object) -> None:
    """Until it is."""
    own["spec"]["versions"].append({**own["spec"]["versions"][0], "name": LOWEST, "storage": False, "served": False})
    install(room.rest, own)
    assert not served(room.rest, collection(own, room, LOWEST))
    steps = [{"op": "replace", "path": "/spec/versions/1/served", "value": True}]
    room.rest.patch(f"{CRDS}/{own['metadata']['name']}", steps, content_type="application/json-patch+json")
    wait_until(lambda: served(room.rest, collection(own, room, LOWEST)), what="it is served", timeout=20)


def test_an_object_is_seen_in_all_served_versions(custom: Room) -> None:
    """The same object, each time with the version that was asked for."""
    made = custom.create("widgets", widget("a"))
    path = custom.path("widgets", "a").replace("/v1/", "/v1beta1/")
    other = custom.rest.get(path)
    assert other["apiVersion"] == f"{GROUP}/v1beta1"
    assert {**other, "apiVersion": made["apiVersion"], "metadata": made["metadata"]} == made
    assert other["metadata"]["uid"] == made["metadata"]["uid"]


def test_a_cluster_scoped_kind_has_no_namespace(room: Room, own: Object) -> None:
    """Its objects live beside the namespaces."""
    own["spec"]["scope"] = "Cluster"
    install(room.rest, own)
    path = f"/apis/{GROUP}/v1/{own['spec']['names']['plural']}"
    assert "namespace" not in room.rest.post(path, instance(own, "a"))["metadata"]
    assert names_of(room.rest.get(path)) == ["a"]
    with refused(404, ""):
        room.rest.get(collection(own, room))


def test_a_definition_without_status_takes_the_status_as_any_field(room: Room, own: Object) -> None:
    """And has no door for it."""
    del own["spec"]["versions"][0]["subresources"]
    install(room.rest, own)
    path = collection(own, room)
    assert room.rest.post(path, instance(own, "a", status={"phase": "x"}))["status"] == {"phase": "x"}
    with refused(404, "NotFound"):
        room.rest.get(f"{path}/a/status")


def test_without_status_every_change_but_metadata_raises_the_generation(room: Room, own: Object) -> None:
    """There is nothing that is not wanted."""
    del own["spec"]["versions"][0]["subresources"]
    install(room.rest, own)
    path = collection(own, room)
    room.rest.post(path, instance(own, "a"))
    assert room.rest.patch(f"{path}/a", {"metadata": {"labels": {"x": "y"}}})["metadata"]["generation"] == 1
    assert room.rest.patch(f"{path}/a", {"status": {"phase": "x"}})["metadata"]["generation"] == 2


def test_deleting_a_definition_deletes_its_objects(room: Room, own: Object) -> None:
    """And ends their being served; installed again, there are none."""
    crd = install(room.rest, own)
    room.rest.post(collection(own, room), instance(own, "a"))
    room.rest.delete(f"{CRDS}/{crd['metadata']['name']}")
    wait_until(lambda: not served(room.rest, collection(own, room)), what="it is served no more", timeout=20)
    wait_until(lambda: _gone(room.rest, crd), what="the definition is gone", timeout=20)
    install(room.rest, own)
    assert names_of(room.rest.get(collection(own, room))) == []


def _gone(rest: Rest, crd: Object) -> bool:
    try:
        rest.get(f"{CRDS}/{crd['metadata']['name']}")
    except ApiError as exc:
        return exc.status == 404
    return False


def test_a_changed_schema_is_used_for_what_comes_after(room: Room, own: Object) -> None:
    """What is stored stays as it is until it is written."""
    install(room.rest, own)
    path = collection(own, room)
    room.rest.post(path, instance(own, "a", spec={"size": "big"}))
    crd = room.rest.get(f"{CRDS}/{own['metadata']['name']}")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"] = {"type": "object", "properties": {"size": {"type": "integer"}}}
    room.rest.put(f"{CRDS}/{own['metadata']['name']}", crd)

    def is_checked() -> bool:
        try:
            room.rest.post(path, instance(own, "b", spec={"size": "big"}), dryRun="All")
        except ApiError as exc:
            return causes(exc)[0][0] == "spec.size"
        return False

    wait_until(is_checked, what="the new schema is used", timeout=20)
    assert room.rest.get(f"{path}/a")["spec"] == {"size": "big"}


def test_printer_columns_make_the_table(custom: Room) -> None:
    """What `kubectl get` shows; the name is always first."""
    custom.create("widgets", widget("a", size=3))
    answer = custom.answer("GET", "widgets", headers={"Accept": TABLE}).body
    assert (answer["kind"], answer["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [each["name"] for each in answer["columnDefinitions"]] == ["Name", "Size", "Phase"]
    assert [row["cells"] for row in answer["rows"]] == [["a", 3, None]]
    assert answer["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_built_in_kinds_have_a_table_too(custom: Room) -> None:
    """Name first, an age among the rest; so `kubectl get` works."""
    custom.create("secrets", {"metadata": {"name": "a"}, "data": {"k": "dg=="}})
    answer = custom.answer("GET", "secrets", headers={"Accept": TABLE}).body
    assert answer["kind"] == "Table"
    columns = [each["name"] for each in answer["columnDefinitions"]]
    assert (columns[0], columns[-1]) == ("Name", "Age")
    assert answer["rows"][0]["cells"][0] == "a"


def test_only_metadata_can_be_asked_for(custom: Room) -> None:
    """`PartialObjectMetadata`, as caches of metadata use it."""
    made = custom.create("widgets", widget("a"))
    partial = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    answer = custom.answer("GET", "widgets", "a", headers=partial).body
    assert answer["kind"] == "PartialObjectMetadata"
    assert "spec" not in answer
    assert answer["metadata"]["uid"] == made["metadata"]["uid"]
