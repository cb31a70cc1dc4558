"""What services on Kubernetes can be told."""

from __future__ import annotations

import pytest

from servicekit.cluster_settings import is_namespace


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a", True),
        ("a-b", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("-a", False),
        ("a-", False),
        ("A", False),
        ("", False),
        ("a.b", False),
        ("a\n", False),
    ],
)
def test_names_of_namespaces(text: str, is_one: bool) -> None:
    """RFC 1123 labels."""
    assert is_namespace(text) is is_one
