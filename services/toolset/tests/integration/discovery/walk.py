"""A random walk of others and of the service on one ConfigMap.

Others change keys, labels and annotations, break or delete our document; tools come, go, fall ill; and in between the
service reconciles. After each reconciliation all that others wrote is there, and ours is as wanted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

Json = dict[str, Any]
NAME = "kubernaut-toolset-config"
OURS = {
    "app.kubernetes.io/name": "kubernaut",
    "app.kubernetes.io/component": "toolset-config",
    "app.kubernetes.io/managed-by": "kubernaut-toolset",
}
WELL = b"HTTP/1.1 204 No Content\r\n\r\n"
KEYS = st.sampled_from(["a", "b", "overrides.json", "notes.txt"])
WORDS = st.sampled_from(["x", "y", "{}", "several\nlines", "\u00e4"])
LABELS = st.sampled_from(["team", "app.kubernetes.io/part-of"])
TOOLS = st.sampled_from(["prometheus-a", "prometheus-b", "grafana-a"])
BROKEN = st.sampled_from(["", "{", "null", '{"tools": []}', '{"tools": [{"name": "mine"}]}', None])


EDITS = st.one_of(
    st.tuples(st.just("others_write_a_key"), KEYS, st.none() | WORDS),
    st.tuples(st.just("others_write_a_binary_key"), st.none() | st.binary(max_size=4)),
    st.tuples(st.just("others_label_it"), LABELS, st.none() | st.sampled_from(["sre", ""])),
    st.tuples(st.just("others_annotate_it"), LABELS, st.none() | WORDS),
    st.tuples(st.just("others_break_our_document"), BROKEN),
    st.tuples(st.just("others_change_our_labels"), st.sampled_from(sorted(OURS)), st.sampled_from([None, "theirs"])),
    st.tuples(st.just("others_delete_it"), st.integers(0, 3)),
    st.tuples(st.just("a_tool_comes_or_goes"), TOOLS),
    st.tuples(st.just("a_tool_falls_ill_or_recovers"), TOOLS),
)


class Walk(RuleBasedStateMachine):
    """Others and the service, on one ConfigMap; `theirs` is what others have in it, `counted` what was done."""

    def __init__(self, scene: Any, make_service: Callable[..., Json], rest: Any, counted: list[str]) -> None:
        super().__init__()
        self.scene, self.make_service, self.rest, self.counted = scene, make_service, rest, counted
        self.home = f"/api/v1/namespaces/{scene.namespace}"
        self.path = f"{self.home}/configmaps/{NAME}"
        self.theirs: dict[str, dict[str, str]] = {"data": {}, "binaryData": {}, "labels": {}, "annotations": {}}
        self.tools: dict[str, bool] = {}

    @initialize(number=st.integers(0, 999))
    def begin(self, number: int) -> None:
        """Leave out the simplest walk, which is always tried first, and is the same step again and again."""
        assume(number > 0)
        self.reconcile()

    @rule(edit=EDITS, then_reconcile=st.booleans())
    def step(self, edit: tuple[Any, ...], then_reconcile: bool) -> None:
        """Do one edit; it is one rule, as hypothesis leaves some rules out of each walk."""
        name, *arguments = edit
        self.counted.append(name)
        getattr(self, name)(*arguments)
        if then_reconcile:
            self.reconcile()

    def _write(self, part: str, key: str, value: str | None) -> None:
        metadata = part in {"labels", "annotations"}
        self.rest.patch(self.path, {"metadata": {part: {key: value}}} if metadata else {part: {key: value}})
        if value is None:
            self.theirs[part].pop(key, None)
        else:
            self.theirs[part][key] = value

    def others_write_a_key(self, key: str, value: str | None) -> None:
        self._write("data", key, value)

    def others_write_a_binary_key(self, value: bytes | None) -> None:
        self._write("binaryData", "logo.png", None if value is None else base64.b64encode(value).decode())

    def others_label_it(self, key: str, value: str | None) -> None:
        self._write("labels", key, value)

    def others_annotate_it(self, key: str, value: str | None) -> None:
        self._write("annotations", key, value)

    def others_break_our_document(self, text: str | None) -> None:
        self.rest.patch(self.path, {"data": {"toolset.json": text}})

    def others_change_our_labels(self, key: str, value: str | None) -> None:
        self.rest.patch(self.path, {"metadata": {"labels": {key: value}}})

    def others_delete_it(self, dice: int) -> None:
        if dice == 0:
            self.rest.delete(self.path)
            self.theirs = {part: {} for part in self.theirs}
            self.reconcile()

    def a_tool_comes_or_goes(self, name: str) -> None:
        if name in self.tools:
            del self.tools[name]
            self.rest.delete(f"{self.home}/services/{name}")
        else:
            self.tools[name] = True
            self.scene.add(self.make_service(name, 9090), WELL)

    def a_tool_falls_ill_or_recovers(self, name: str) -> None:
        if name in self.tools:
            self.tools[name] = not self.tools[name]
            self.scene.endpoints.behave(f"{name}.{self.scene.namespace}", WELL if self.tools[name] else b"")

    def reconcile(self) -> None:
        """Have it reconciled, and look at all that is there."""
        answer = self.scene.client.post("/api/v1/toolsets/generate")
        assert answer.status_code == 200, answer.text
        self.counted.append("reconcile")
        stands = self.rest.get(self.path)
        meta = stands["metadata"]
        found = {**stands, "labels": meta["labels"], "annotations": meta["annotations"]}
        ours = {"data": {"toolset.json"}, "labels": set(OURS), "annotations": {"kubernaut.io/generated-at"}}
        for part, theirs in self.theirs.items():
            there = found.get(part) or {}
            assert {key: there[key] for key in there.keys() - ours.get(part, set())} == theirs
        assert OURS.items() <= meta["labels"].items()
        names = [tool["name"] for tool in json.loads(stands["data"]["toolset.json"])["tools"]]
        assert names == sorted(name for name, well in self.tools.items() if well)

    def teardown(self) -> None:
        if self.counted:
            self.reconcile()
            self.rest.delete(self.path)
        for name in self.tools:
            self.rest.delete(f"{self.home}/services/{name}")
