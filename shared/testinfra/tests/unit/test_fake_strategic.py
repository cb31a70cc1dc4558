"""Strategic merge patches, held to what a real server made of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from testinfra.kubernetes.fake import objects, strategic
from testinfra.kubernetes.fake.kinds import Kinds

_FACTS = json.loads((Path(__file__).parent / "facts/strategic.json").read_text())
_KIND = Kinds().of("apps/v1", "Deployment")


@pytest.mark.parametrize("case", _FACTS["cases"], ids=lambda case: json.dumps(case["patch"]))
def test_a_patch_makes_what_a_real_server_makes_of_it(case: dict[str, Any]) -> None:
    """Keyed lists, their order, directives, nulls."""
    assert _KIND
    original = copy.deepcopy(_FACTS["original"])
    merged = strategic.merge(_KIND.schema, original, copy.deepcopy(case["patch"]))
    objects.decode(_KIND, merged)
    objects.default(_KIND, merged)
    merged.pop("status")
    assert merged == case["result"]
    assert original == _FACTS["original"]


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"$patch": "bogus"}, "unknown patch type"),
        (
            {"spec": {"template": {"spec": {"containers": [{"image": "z"}]}}}},
            "does not contain declared merge key: name",
        ),
        ({"metadata": {"$setElementOrder/finalizers": ["x/a"], "finalizers": ["x/b"]}}, "doesn't match"),
        ({"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}}}, "do not agree"),
    ],
)
def test_a_directive_that_means_nothing_is_refused(patch: dict[str, Any], told: str) -> None:
    """With the reason."""
    assert _KIND
    with pytest.raises(strategic.BadPatch, match=told):
        strategic.merge(_KIND.schema, _FACTS["original"], patch)
