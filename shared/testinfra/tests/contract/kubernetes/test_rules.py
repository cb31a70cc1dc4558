"""Rules in CEL (`x-kubernetes-validations`): what a schema alone cannot say."""

from __future__ import annotations

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, causes, refused, widget
from shared.testinfra.tests.contract.kubernetes.widgets import CRDS, definition


def test_a_field_that_must_stay_cannot_change(custom: Room) -> None:
    """`self == oldSelf`: the message is the rule's own."""
    made = custom.create("widgets", widget("a", fixed="one"))
    with refused(422, "Invalid") as said:
        custom.patch("widgets", "a", {"spec": {"fixed": "two"}})
    assert causes(said.value) == [("spec.fixed", "FieldValueInvalid")]
    assert said.value.message.endswith(': spec.fixed: Invalid value: "two": fixed is immutable')
    assert custom.get("widgets", "a") == made


def test_a_rule_about_the_old_value_is_not_asked_at_a_create(custom: Room) -> None:
    """Nor when the field comes later."""
    custom.create("widgets", widget("a", fixed="one"))
    custom.create("widgets", widget("b"))
    assert custom.patch("widgets", "b", {"spec": {"fixed": "two"}})["spec"]["fixed"] == "two"


def test_a_field_can_be_kept_from_being_removed(custom: Room) -> None:
    """A rule of its parent, for its own is not asked when it is gone."""
    custom.create("widgets", widget("a", fixed="one"))
    with refused(422, "Invalid") as said:
        custom.patch("widgets", "a", {"spec": {"fixed": None}})
    assert "fixed stays" in said.value.message


def test_a_rule_compares_two_fields_and_names_one_with_its_reason(custom: Room) -> None:
    """`fieldPath`, `reason` and `messageExpression` of the rule."""
    custom.create("widgets", widget("a", low=1, high=1))
    with refused(422, "Invalid") as said:
        custom.create("widgets", widget("b", low=2, high=1))
    assert causes(said.value) == [("spec.high", "FieldValueForbidden")]
    assert said.value.message.endswith(": spec.high: Forbidden: low is above high")


def test_a_rule_looks_at_every_element(custom: Room) -> None:
    """`all`, and a function of strings."""
    custom.create("widgets", widget("a", tags=["ta", "tb"]))
    with refused(422, "Invalid") as said:
        custom.create("widgets", widget("b", tags=["ta", "b"]))
    assert "tags start with t" in said.value.message


def test_rules_wait_for_the_schema(custom: Room) -> None:
    """Where a value is of no right type, they are not asked, and that is said."""
    with refused(422, "Invalid") as said:
        custom.create("widgets", widget("a", low="two", high=1))
    assert ("spec.low", "FieldValueTypeInvalid") in causes(said.value)
    assert "some validation rules were not checked because the object was invalid" in said.value.message


def test_a_rule_that_cannot_be_read_is_refused_with_its_definition(room: Room) -> None:
    """Not first with an object."""
    spec: Object = {
        "type": "object",
        "properties": {"size": {"type": "string", "maxLength": 9}},
        "x-kubernetes-validations": [{"rule": "self.size +"}],
    }
    with refused(422, "Invalid") as said:
        room.rest.post(CRDS, definition("unreadables", "Unreadable", spec))
    assert "x-kubernetes-validations[0].rule" in said.value.message
