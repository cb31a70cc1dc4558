"""The document: what is in it, what is the same, and that what we write passes our own check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolset import published
from toolset.tools import TYPES, Found, Health, Tool

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "grafana", "a-b", "0", "z" * 63])
STATES: Mapping[bool | None, Any] = {True: "HealthCheckPassed", False: "HealthCheckFailed", None: "NotChecked"}


@st.composite
def founds(draw: st.DrawFn) -> Found:
    """Make outcomes of discoveries."""
    keys = draw(st.lists(st.tuples(NAMES, NAMES), unique=True, max_size=4))
    tools = tuple(
        Tool(
            name=name,
            namespace=namespace,
            type=draw(st.sampled_from(TYPES)),
            endpoint=f"http://{name}.{namespace}.svc.cluster.local:80",
            description=draw(st.text(st.characters(codec="utf-8"), max_size=5)),
            metadata=draw(st.dictionaries(NAMES, NAMES, max_size=2)),
            health_path="/",
            enabled=draw(st.booleans()),
        )
        for namespace, name in sorted(keys)
    )
    states = {tool.key: draw(st.sampled_from([True, False, None])) for tool in tools}
    health = {
        key: Health(healthy=state, reason=STATES[state], message="", checked_at=NOW) for key, state in states.items()
    }
    return Found(tools=tools, health=health)


@given(founds())
def test_what_is_written_is_valid_and_the_same_when_read(found: Found) -> None:
    """Our own check has nothing to say; the text says what the document does; what is left out is off or ill."""
    document = published.document(found)
    text = published.text(document)
    assert published.problems(json.loads(text)) == []
    assert published.same(text, document)
    assert published.same(json.dumps(document, sort_keys=True, indent=8), document)
    listed = {(tool["namespace"], tool["name"]) for tool in document["tools"]}
    assert listed == {tool.key for tool in found.tools if tool.enabled and found.health[tool.key].healthy is not False}


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "null", "[]", '{"tools": null}', "[" * 100_000, '"\\ud800"'],
    ids=lambda text: str(text)[:9],
)
def test_what_is_not_the_same(text: str | None) -> None:
    """Nothing, no JSON, and something else."""
    assert not published.same(text, {"tools": []})


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_can_be_asked_about(document: Any) -> None:
    """It is told what is wrong, in text that can be written."""
    found = published.problems(document)
    assert all(problem.field.encode() and problem.message for problem in found)
