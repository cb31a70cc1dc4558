"""Custom objects are checked, filled and pruned by their schema."""

from __future__ import annotations

from typing import Any

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Room, causes, named, refused, widget


@pytest.mark.parametrize(
    ("field", "value", "reason", "words"),
    [
        ("size", 0, "FieldValueInvalid", "should be greater than or equal to 1"),
        ("size", 11, "FieldValueInvalid", "should be less than or equal to 10"),
        ("size", "big", "FieldValueTypeInvalid", 'must be of type integer: "string"'),
        ("size", 1.5, "FieldValueTypeInvalid", 'must be of type integer: "number"'),
        ("color", "pink", "FieldValueNotSupported", 'supported values: "red", "green", "blue"'),
        ("title", "UPPER", "FieldValueInvalid", "should match '^[a-z]+$'"),
        ("title", "toolongtitle", "FieldValueTooLong", "may not be more than 8 bytes"),
        ("title", "a", "FieldValueInvalid", "should be at least 2 chars long"),
        ("at", "yesterday", "FieldValueTypeInvalid", 'must be of type date-time: "yesterday"'),
        ("port", True, "FieldValueTypeInvalid", 'must be of type integer,string: "boolean"'),
        ("ratio", "half", "FieldValueTypeInvalid", 'must be of type number: "string"'),
        ("on", "yes", "FieldValueTypeInvalid", 'must be of type boolean: "string"'),
        ("tags", ["a", "b", "c", "d"], "FieldValueTooMany", "must have at most 3 items"),
        ("tags", "a", "FieldValueTypeInvalid", 'must be of type array: "string"'),
        ("options", {"k": 1}, "FieldValueTypeInvalid", 'must be of type string: "integer"'),
    ],
)
def test_a_value_that_breaks_the_schema_is_refused(
    custom: Room, field: str, value: Any, reason: str, words: str
) -> None:
    """422: the field's path and the reason are in the causes, the rule in the message."""
    with refused(422, "Invalid") as said:
        custom.create("widgets", widget("a", **{field: value}))
    found = dict(causes(said.value))
    path = "spec.options.k" if field == "options" else f"spec.{field}"
    assert found[path] == reason
    assert words in said.value.message
    assert said.value.message.startswith('Widget.contract.example.com "a" is invalid: ')


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 10),
        ("title", "ok"),
        ("at", "2026-11-21T10:00:00Z"),
        ("at", "2026-11-21T10:00:00.123+02:00"),
        ("port", 80),
        ("port", "http"),
        ("note", None),
        ("ratio", 0.5),
        ("ratio", 1),
        ("on", False),
        ("tags", []),
        ("options", {"any": "key"}),
        ("free", {"deep": {"er": [1, "two", None]}}),
    ],
)
def test_a_value_within_the_schema_is_kept_as_it_is(custom: Room, field: str, value: Any) -> None:
    """Numbers stay numbers, null stays null where it may be."""
    assert custom.create("widgets", widget("a", **{field: value}))["spec"][field] == value


def test_a_required_field_that_is_missing_is_refused(custom: Room) -> None:
    """With a reason of its own."""
    with refused(422, "Invalid") as said:
        custom.create("widgets", named("a", spec={}))
    assert ("spec.size", "FieldValueRequired") in causes(said.value)
    assert "spec.size: Required value" in said.value.message


def test_all_that_is_wrong_is_told_at_once(custom: Room) -> None:
    """One cause each."""
    with refused(422, "Invalid") as said:
        custom.create("widgets", widget("a", size=99, color="pink", on="yes"))
    assert {field for field, _ in causes(said.value)} >= {"spec.size", "spec.color", "spec.on"}


def test_an_index_is_in_the_path_of_what_is_wrong_in_a_list(custom: Room) -> None:
    """`spec.tags[1]`."""
    with refused(422, "Invalid") as said:
        custom.create("widgets", widget("a", tags=["ok", 7]))
    assert causes(said.value)[0][0] == "spec.tags[1]"


def test_two_elements_of_one_key_are_refused(custom: Room) -> None:
    """In a list that is a map."""
    with refused(422, "Invalid") as said:
        custom.create("widgets", widget("a", ports=[{"name": "http"}, {"name": "http", "protocol": "UDP"}]))
    assert causes(said.value)[0] == ("spec.ports[1]", "FieldValueDuplicate")


def test_defaults_are_filled_in(custom: Room) -> None:
    """Also inside of lists; what is given stays."""
    made = custom.create("widgets", widget("a", ports=[{"name": "http"}, {"name": "dns", "protocol": "UDP"}]))
    assert made["spec"]["color"] == "red"
    assert [each["protocol"] for each in made["spec"]["ports"]] == ["TCP", "UDP"]


def test_a_default_takes_the_place_of_null(custom: Room) -> None:
    """Where null is no value of the field."""
    assert custom.create("widgets", widget("a", color=None))["spec"]["color"] == "red"


def test_null_is_dropped_where_it_is_no_value(custom: Room) -> None:
    """A field that is neither nullable nor has a default."""
    assert "title" not in custom.create("widgets", widget("a", title=None))["spec"]


def test_defaults_are_filled_in_again_by_an_update(custom: Room) -> None:
    """A field that is left out comes back as its default."""
    made = custom.create("widgets", widget("a", color="blue"))
    del made["spec"]["color"]
    assert custom.put("widgets", made)["spec"]["color"] == "red"


def test_unknown_fields_are_pruned(custom: Room) -> None:
    """At every depth, and beside spec and status."""
    made = custom.create("widgets", {**widget("a", ports=[{"name": "http", "extra": 1}], extra=1), "extra": 1})
    assert "extra" not in str(made)


def test_where_unknown_fields_are_kept_nothing_is_pruned(custom: Room) -> None:
    """Below `free`."""
    given = {"any": {"thing": [1, {"x": None}]}}
    assert custom.create("widgets", widget("a", free=given))["spec"]["free"] == given


def test_unknown_fields_of_metadata_are_dropped(custom: Room) -> None:
    """It has the same form for every kind."""
    body = widget("a")
    body["metadata"]["extra"] = 1
    assert "extra" not in custom.create("widgets", body)["metadata"]


def test_metadata_of_the_wrong_type_is_refused(custom: Room) -> None:
    """Labels are strings."""
    body = widget("a")
    body["metadata"]["labels"] = {"n": 1}
    with refused(400, "BadRequest"):
        custom.create("widgets", body)
