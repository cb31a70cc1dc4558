"""Creating: what the server fills in, and what it refuses."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Room, at_once, causes, named, refused, widget
from testinfra.kubernetes.rest import ApiError, Rest


def test_a_created_object_has_uid_time_and_version(room: Room) -> None:
    """The server makes all three; the version is a number in a string."""
    before = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=2)
    made = room.create("configmaps", named("a"))["metadata"]
    assert str(uuid.UUID(made["uid"])) == made["uid"]
    assert datetime.fromisoformat(made["creationTimestamp"]) >= before
    assert made["creationTimestamp"].endswith("Z")
    assert int(made["resourceVersion"]) > 0


def test_a_create_is_answered_201_with_the_object_as_it_is_stored(room: Room) -> None:
    """The same that a read gives."""
    answer = room.answer("POST", "configmaps", body=room.body("configmaps", named("a", data={"k": "v"})))
    assert answer.status == 201
    assert answer.body == room.get("configmaps", "a")


def test_the_namespace_is_filled_in_from_the_path(room: Room) -> None:
    """A body need not name it."""
    assert room.create("configmaps", named("a"))["metadata"]["namespace"] == room.name


def test_a_body_of_another_namespace_is_refused(room: Room) -> None:
    """The path decides, and says so."""
    body = named("a")
    body["metadata"]["namespace"] = "default"
    with refused(400, "BadRequest") as said:
        room.create("configmaps", body)
    assert "the namespace of the provided object does not match the namespace sent on the request" in str(said.value)


def test_uid_time_and_version_of_the_caller_are_not_taken(room: Room) -> None:
    """Two creates cannot have one uid."""
    body = named("a")
    body["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": "2001-01-01T00:00:00Z"}
    made = room.create("configmaps", body)["metadata"]
    assert made["uid"] != body["metadata"]["uid"]
    assert made["creationTimestamp"] > "2020"


def test_a_resource_version_in_a_create_is_refused(room: Room) -> None:
    """It could only be a mistake."""
    body = named("a")
    body["metadata"]["resourceVersion"] = "7"
    with refused(500, "") as said:
        room.create("configmaps", body)
    assert said.value.message == "resourceVersion should not be set on objects to be created"


def test_versions_grow_over_all_kinds(custom: Room) -> None:
    """One counter for the whole server."""
    first = custom.create("configmaps", named("a"))
    second = custom.create("widgets", widget("a"))
    third = custom.create("secrets", named("a"))
    versions = [int(made["metadata"]["resourceVersion"]) for made in (first, second, third)]
    assert versions == sorted(set(versions))


def test_generate_name_adds_five_characters(room: Room) -> None:
    """Each time others."""
    made = [room.create("configmaps", {"metadata": {"generateName": "job-"}})["metadata"] for _ in range(5)]
    assert all(each["name"].startswith("job-") and len(each["name"]) == len("job-") + 5 for each in made)
    assert len({each["name"] for each in made}) == 5
    assert made[0]["generateName"] == "job-"


def test_a_name_wins_over_generate_name(room: Room) -> None:
    """The prefix is kept and not used."""
    made = room.create("configmaps", {"metadata": {"name": "a", "generateName": "job-"}})
    assert made["metadata"]["name"] == "a"


def test_neither_name_nor_generate_name_is_refused(room: Room) -> None:
    """The field and the reason are in the details."""
    with refused(422, "Invalid") as said:
        room.create("configmaps", {"metadata": {}})
    assert ("metadata.name", "FieldValueRequired") in causes(said.value)
    assert "name or generateName is required" in said.value.message


def test_the_same_name_twice_is_already_there(room: Room) -> None:
    """409 with a reason of its own, unlike a conflict of versions."""
    room.create("configmaps", named("a"))
    with refused(409, "AlreadyExists") as said:
        room.create("configmaps", named("a"))
    assert said.value.message == 'configmaps "a" already exists'
    assert said.value.details["name"] == "a"
    assert said.value.details["kind"] == "configmaps"


def test_a_custom_object_that_is_there_is_named_with_its_group(custom: Room) -> None:
    """In the message, and in the details."""
    custom.create("widgets", widget("a"))
    with refused(409, "AlreadyExists") as said:
        custom.create("widgets", widget("a"))
    assert said.value.message == 'widgets.contract.example.com "a" already exists'
    assert said.value.details["group"] == "contract.example.com"


def test_one_name_may_be_used_once_a_kind_and_namespace(room: Room) -> None:
    """Other kinds have it too."""
    room.create("configmaps", named("a"))
    assert room.create("secrets", named("a"))["metadata"]["name"] == "a"


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 254, "a/b"])
def test_a_name_that_is_no_dns_name_is_refused(custom: Room, name: str) -> None:
    """For custom objects and built-in ones alike."""
    for resource, body in (("configmaps", named(name)), ("widgets", widget(name))):
        with refused(422, "Invalid") as said:
            custom.create(resource, body)
        assert ("metadata.name", "FieldValueInvalid") in causes(said.value)


@pytest.mark.parametrize("labels", [{"bad key": "v"}, {"k": "bad value"}, {"k": "v" * 64}])
def test_a_label_that_breaks_the_rules_is_refused(room: Room, labels: dict[str, str]) -> None:
    """Keys and values both have a form."""
    with refused(422, "Invalid") as said:
        room.create("configmaps", named("a", labels=labels))
    assert causes(said.value)[0][0] == "metadata.labels"


def test_a_namespace_that_is_not_there_is_refused(room: Room) -> None:
    """404 on the namespace, not on the object."""
    with refused(404, "NotFound") as said:
        Room(room.rest, room.name + "-x").create("configmaps", named("a"))
    assert said.value.message == f'namespaces "{room.name}-x" not found'


def test_a_dry_run_answers_and_stores_nothing(room: Room) -> None:
    """The answer has a uid, and the object is not there."""
    made = room.create("configmaps", named("a"), dryRun="All")
    assert made["metadata"]["uid"]
    assert room.gone("configmaps", "a")


def test_a_dry_run_refuses_what_a_create_would(custom: Room) -> None:
    """The same checks."""
    with refused(422, "Invalid"):
        custom.create("widgets", widget("a", size=99), dryRun="All")


def test_a_dry_run_of_another_word_is_refused(room: Room) -> None:
    """`All` is the only one."""
    with refused(422, "Invalid") as said:
        room.create("configmaps", named("a"), dryRun="Some")
    assert causes(said.value)[0] == ("dryRun", "FieldValueNotSupported")


def test_unknown_fields_are_dropped_by_default(custom: Room) -> None:
    """And the answer warns of them."""
    for resource, body in (
        ("configmaps", named("a", surprise=1)),
        ("widgets", widget("a", surprise=1)),
    ):
        answer = custom.answer("POST", resource, body=custom.body(resource, body))
        assert "surprise" not in str(answer.body)
        assert "unknown field" in answer.headers["Warning"]


def test_unknown_fields_are_refused_where_strict_is_asked(custom: Room) -> None:
    """The field is named with its path."""
    with refused(400, "BadRequest") as said:
        custom.create("configmaps", named("a", surprise=1), fieldValidation="Strict")
    assert 'unknown field "surprise"' in said.value.message
    with refused(400, "BadRequest") as said:
        custom.create("widgets", widget("a", surprise=1), fieldValidation="Strict")
    assert 'unknown field "spec.surprise"' in said.value.message


def test_unknown_fields_are_dropped_silently_where_ignore_is_asked(custom: Room) -> None:
    """No warning."""
    body = custom.body("widgets", widget("a", surprise=1))
    answer = custom.answer("POST", "widgets", body=body, query={"fieldValidation": "Ignore"})
    assert "surprise" not in answer.body["spec"]
    assert "Warning" not in answer.headers


def test_a_body_of_another_kind_is_refused(room: Room) -> None:
    """Each collection takes its own."""
    with refused(400, "BadRequest"):
        room.rest.post(room.path("configmaps"), {"apiVersion": "v1", "kind": "Secret", **named("a")})


def test_a_custom_object_must_name_its_type(custom: Room) -> None:
    """Unlike built-in ones, whose type the path gives."""
    assert custom.rest.post(custom.path("configmaps"), named("a"))["metadata"]["name"] == "a"
    with refused(400, "BadRequest") as said:
        custom.rest.post(custom.path("widgets"), widget("a"))
    assert "Kind" in said.value.message


def test_of_many_creates_of_one_name_exactly_one_wins(room: Room) -> None:
    """Twenty at once; the others are told it is there."""
    answers = at_once(20, lambda number: room.create("configmaps", named("one", data={"by": str(number)})))
    lost = [each for each in answers if isinstance(each, ApiError)]
    assert len(lost) == 19
    assert {each.reason for each in lost} == {"AlreadyExists"}


def test_a_cluster_scoped_object_has_no_namespace(rest: Rest, room: Room) -> None:
    """Neither in its path nor in its metadata."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    made = rest.post(path, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", **named(room.name)})
    assert "namespace" not in made["metadata"]
    rest.delete(f"{path}/{room.name}")


def test_finalizers_owners_labels_and_annotations_are_stored(room: Room) -> None:
    """Whatever a controller writes into metadata comes back."""
    owner = room.create("configmaps", named("owner"))["metadata"]
    body = named("a", labels={"app": "x"})
    body["metadata"] |= {
        "annotations": {"note": "free text: ä"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}],
        "finalizers": ["example.com/hold"],
    }
    made = room.create("configmaps", body)["metadata"]
    room.patch("configmaps", "a", {"metadata": {"finalizers": None}})
    assert {key: made[key] for key in body["metadata"]} == body["metadata"]


@pytest.mark.parametrize("missing", ["apiVersion", "kind", "name", "uid"])
def test_an_owner_reference_must_be_whole(room: Room, missing: str) -> None:
    """All four say who the owner is."""
    body, reference = named("a"), {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": str(uuid.uuid4())}
    del reference[missing]
    body["metadata"]["ownerReferences"] = [reference]
    with refused(422, "Invalid") as said:
        room.create("configmaps", body)
    assert causes(said.value)[0][0].startswith("metadata.ownerReferences")


def test_a_finalizer_must_be_qualified(room: Room) -> None:
    """A word without a domain says nobody's name."""
    body = named("a")
    body["metadata"]["finalizers"] = ["hold"]
    with refused(422, "Invalid") as said:
        room.create("configmaps", body)
    assert causes(said.value)[0][0].startswith("metadata.finalizers")
