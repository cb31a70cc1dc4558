"""Label and field selectors: read once, then asked of each object.

Rule 1: the grammar and the words of its errors are those of `k8s.io/apimachinery/pkg/labels` and `.../fields`.
Rule 2: a selector that chooses everything is None, so that nothing is asked of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.status_errors import Refused, bad_request

Labels: TypeAlias = Mapping[str, str]
Test: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Tells whether an object's content is chosen."""

_TOKEN = re.compile(r"\s*(==|!=|[=,()!<>]|[^\s=,()!<>]+)")
_NAME = re.compile(r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_INTEGER = re.compile(r"-?\d+")
_SIGNS = ("=", "==", "!=", ",", "(", ")", "!", "<", ">")
_FORM = "of '-', '_', '.' and alphanumeric characters, which it starts and ends with"
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def by_labels(text: str) -> Test | None:
    """Read a label selector. Raises `Refused` (400)."""
    if not text.strip():
        return None
    requirements = _Labels(text).read()
    if len(requirements) == 1:
        only = requirements[0]
        return lambda content: only(content["metadata"].get("labels") or {})
    return lambda content: all(test(content["metadata"].get("labels") or {}) for test in requirements)


class _Labels:
    """Reads `a=b,c!=d,e in (f,g),h,!i,j>1`."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)

    def read(self) -> list[Callable[[Labels], bool]]:
        """Give the test of each requirement."""
        found = [self._requirement("!, identifier, or 'end of string'")]
        while self._tokens:
            self._expect(",", "',' or 'end of string'")
            found.append(self._requirement("identifier after ','"))
        return found

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def _expect(self, wanted: str, expected: str) -> None:
        if (token := self._take()) != wanted:
            raise _unread(token, expected)

    def _requirement(self, expected: str) -> Callable[[Labels], bool]:
        if self._next() == "!":
            self._take()
            absent = self._key("identifier")
            return lambda labels: absent not in labels
        key = self._key(expected)
        if self._next() in ("", ","):
            return lambda labels: key in labels
        return self._comparison(key, self._take())

    def _key(self, expected: str) -> str:
        key = self._take()
        if not key or key in _SIGNS:
            raise _unread(key, expected)
        if not _NAME.fullmatch(key):
            raise bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key}": a valid label key {_FORM}')
        return key

    def _comparison(self, key: str, operator: str) -> Callable[[Labels], bool]:
        if operator in ("=", "=="):
            value = self._value(key)
            return lambda labels: labels.get(key) == value
        if operator == "!=":
            value = self._value(key)
            return lambda labels: labels.get(key) != value
        if operator in (">", "<"):
            return _order(key, self._value(key), above=operator == ">")
        if operator in ("in", "notin"):
            values = self._values(key)
            wanted = operator == "in"
            return lambda labels: (labels.get(key) in values) is wanted
        raise _unread(operator, "in, notin, =, ==, !=, gt, lt")

    def _value(self, key: str) -> str:
        return "" if self._next() in ("", ",") else self._checked(key, self._take())

    def _checked(self, key: str, value: str) -> str:
        if value in _SIGNS:
            raise _unread(value, "identifier")
        if not _VALUE.fullmatch(value):
            why = f"a valid label must be an empty string or consist of alphanumeric characters {_FORM}"
            raise bad_request(f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}": {why}')
        return value

    def _values(self, key: str) -> frozenset[str]:
        self._expect("(", "'('")
        found = set()
        while self._next() != ")":
            value = "" if self._next() == "," else self._checked(key, self._take() or "(")
            found.add(value)
            if self._next() != ")":
                self._expect(",", "',' or ')'")
                found |= {""} if self._next() == ")" else set()
        self._take()
        return frozenset(found or {""})


def _unread(token: str, expected: str) -> Refused:
    return bad_request(f"unable to parse requirement: found '{token}', expected: {expected}")


def _order(key: str, value: str, *, above: bool) -> Callable[[Labels], bool]:
    if not _INTEGER.fullmatch(value):
        why = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise bad_request(f'unable to parse requirement: values[0]: Invalid value: "{value}": {why}')
    bound = int(value)

    def holds(labels: Labels) -> bool:
        found = labels.get(key, "")
        return bool(_INTEGER.fullmatch(found)) and (int(found) > bound if above else int(found) < bound)

    return holds


def by_fields(text: str, kind: Kind) -> Test | None:
    """Read a field selector of a kind's selectable fields. Raises `Refused` (400)."""
    tests = [_field(term, kind) for term in text.split(",") if term]
    if not tests:
        return None
    return lambda content: all(test(content) for test in tests)


def _field(term: str, kind: Kind) -> Test:
    for operator in ("!=", "==", "="):
        path, found, value = term.partition(operator)
        if found:
            break
    else:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    if path not in ("metadata.name", "metadata.namespace", *kind.selectable):
        raise _unknown(path, kind)
    parts = tuple(path.split("."))
    wanted = operator != "!="
    return lambda content: (_text(content, parts) == value) is wanted


def _unknown(path: str, kind: Kind) -> Refused:
    if kind.crd or kind.selectable:
        return bad_request(f"field label not supported: {path}")
    return bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')


def _text(content: Mapping[str, Any], parts: tuple[str, ...]) -> str:
    found: Any = content
    for part in parts:
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else str(found)
