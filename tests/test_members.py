"""Which members a session installs follows from what their pyproject files say."""

from __future__ import annotations

from tools import members


def test_every_member_is_found() -> None:
    """In members.txt, the one list of them."""
    assert set(members.FOLDERS) >= {"schema", "shared/servicekit", "shared/testinfra", "services/datastorage"}


def test_a_member_brings_those_that_its_tests_stand_on() -> None:
    """And no other: the Kubernetes client is not installed for a service that does not ask for it."""
    assert members.needed(["services/datastorage"]) == {
        "schema": set(),
        "services/datastorage": {"test"},
        "shared/servicekit": {"postgres"},
        "shared/testinfra": set(),
    }


def test_an_extra_that_names_another_of_the_same_member_brings_it() -> None:
    """As the stand's own tests need its Kubernetes side."""
    assert members.needed(["shared/testinfra"]) == {"shared/testinfra": {"test", "kubernetes"}}
    assert members.installable(["shared/testinfra"]) == ["./shared/testinfra[kubernetes,test]"]
