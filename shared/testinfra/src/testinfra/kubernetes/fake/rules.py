"""Rules of a CRD's schema written in CEL (`x-kubernetes-validations`), evaluated by common-expression-language.

Rule 1: a rule that cannot be read, or that calls what this CEL does not have, is refused when the CRD is installed
        (`unreadable`), never passed over when an object comes.
Rule 2: a rule that speaks of `oldSelf` is asked only when there is an old value at the same place: list items are the
        same by their keys (`x-kubernetes-list-type: map`), properties and map entries by name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from testinfra.errors import NotAvailable
from testinfra.kubernetes.fake import formats
from testinfra.kubernetes.fake.causes import Cause, shown
from testinfra.kubernetes.fake.rulefunctions import CORE, FUNCTIONS
from testinfra.kubernetes.fake.schema import LIST_KEYS, LIST_TYPE, Schema, parts, properties

RULES = "x-kubernetes-validations"
# What has to be right before rules are asked: see `hasBlockingErr` in apiextensions-apiserver.
_BLOCKING = {
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
}
UNCHECKED = Cause(
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation",
    "<nil>",
)
_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_WORDS = {"FieldValueForbidden": "Forbidden", "FieldValueRequired": "Required value"}


def kept_from(schema: Schema, causes: Sequence[Cause]) -> list[Cause]:
    """Give `UNCHECKED` where a schema has rules that these causes keep from being asked; else nothing."""
    blocked = any(cause.reason in _BLOCKING for cause in causes)
    return [UNCHECKED] if blocked and _has_rules(schema) else []


def _has_rules(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return RULES in schema or any(map(_has_rules, schema.values()))
    return isinstance(schema, list) and any(map(_has_rules, schema))


def broken(schema: Schema, new: Any, old: Any = None, at: str = "", *, root: bool = True) -> list[Cause]:
    """Ask all rules of a schema about a value (and, on an update, the value before); gives those it breaks."""
    found = [cause for rule in schema.get(RULES) or () for cause in _asked(rule, schema, new, old, at, root=root)]
    for key, part, step in parts(schema, new):
        before = _before(schema, old, key, new[key])
        found += broken(part, new[key], before, f"{at}{step}".removeprefix("."), root=False)
    return found


def unreadable(rule: Mapping[str, Any]) -> str:
    """Tell why a rule cannot be used, "" if it can."""
    for text in filter(None, (rule.get("rule"), rule.get("messageExpression"))):
        try:
            used = _program(text).references()
        except ValueError as error:
            told = str(error)
            return f"compilation failed: {told[max(told.find('ERROR: '), 0) :]}"
        names = sorted(set(used["variables"]) - {"self", "oldSelf"} - _bound(text))
        if names:
            return f"compilation failed: undeclared reference to '{names[0]}' (in container '')"
        calls = sorted(name for name in used["functions"] if name.isalpha() and name not in CORE | FUNCTIONS.keys())
        if calls:
            return f"compilation failed: the fake API server has no CEL function '{calls[0]}': use another rung"
    return ""


def _bound(text: str) -> set[str]:
    """Names that are no variables of the rule's: types, and what macros bind (the x of `self.all(x, x > 0)`)."""
    bound = re.findall(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,", text)
    return {*bound, "bool", "bytes", "double", "int", "list", "map", "string", "type", "uint"}


@lru_cache(maxsize=1024)
def _program(text: str) -> Any:
    try:
        import cel  # noqa: PLC0415 - part of an extra: only who installs CRDs with rules needs it
    except ImportError as error:
        raise NotAvailable(
            "A CRD has rules in CEL (x-kubernetes-validations), and there is no CEL here.",
            cause="the extra for Kubernetes is not installed",
            looked_at=["the package common-expression-language"],
            next_step="pip install 'testinfra-stand[kubernetes]'",
        ) from error
    return cel.compile(text)


def _run(program: Any, known: Mapping[str, Any]) -> Any:
    import cel  # noqa: PLC0415 - see _program

    return program.execute(cel.Context(dict(known), dict(FUNCTIONS)))


def _asked(rule: Mapping[str, Any], schema: Schema, new: Any, old: Any, at: str, *, root: bool) -> Iterator[Cause]:
    program = _program(rule["rule"])
    known = {"self": _told(schema, new, root=root)}
    if "oldSelf" in program.references()["variables"]:
        if old is None:
            return
        known["oldSelf"] = _told(schema, old, root=root)
    path = f"{at}{rule.get('fieldPath', '')}".removeprefix(".")
    try:
        good = _run(program, known)
    except Exception as error:  # noqa: BLE001 - whatever a rule fails with is told as the rule's failure
        said = rule.get("message") or rule["rule"]
        yield Cause("FieldValueInvalid", f'Invalid value: "object": {error} evaluating rule: {said}', at)
        return
    if good is not True:
        yield _cause(rule, new, _message(rule, known), path)


def _message(rule: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if rule.get("messageExpression"):
        try:
            said = _run(_program(rule["messageExpression"]), known)
        except Exception:  # noqa: BLE001 - a message that cannot be made is left out, as the server does
            said = ""
        if isinstance(said, str) and said.strip():
            return said
    return str(rule.get("message") or f"failed rule: {rule['rule']}")


def _cause(rule: Mapping[str, Any], value: Any, told: str, path: str) -> Cause:
    reason = rule.get("reason") or "FieldValueInvalid"
    if reason in _WORDS:
        return Cause(reason, f"{_WORDS[reason]}: {told}", path)
    if reason == "FieldValueDuplicate":
        return Cause(reason, f"Duplicate value: {shown(value)}", path)
    shows = "" if isinstance(value, dict | list) else f"{shown(value)}: "
    return Cause(reason, f"Invalid value: {shows}{told}", path)


def _before(schema: Schema, old: Any, key: Any, new_part: Any) -> Any:
    """Find what stood at the same place in the old value, None where nothing did."""
    if isinstance(old, dict):
        return old.get(key)
    if isinstance(old, list) and schema.get(LIST_TYPE) == "map" and isinstance(new_part, dict):
        keys = schema.get(LIST_KEYS, ())
        same = [one for one in old if isinstance(one, dict) and all(one.get(k) == new_part.get(k) for k in keys)]
        return same[0] if same else None
    return None


def _told(schema: Schema, value: Any, *, root: bool = False) -> Any:
    """Give a value as CEL sees it: times and durations typed, properties under names that CEL can write."""
    if isinstance(value, dict):
        known = properties(schema, root=root)
        others = schema.get("additionalProperties")
        told = {
            _escaped(key): _told(known[key], part)
            for key, part in value.items()
            if key in known and (not root or key in schema.get("properties", ()) or key != "metadata")
        }
        if isinstance(others, Mapping):
            told |= {key: _told(others, part) for key, part in value.items() if key not in known}
        if root and "metadata" in value:
            told["metadata"] = {
                key: value["metadata"][key] for key in ("name", "generateName") if key in value["metadata"]
            }
        return told
    if isinstance(value, list):
        items = schema.get("items")
        return [_told(items if isinstance(items, Mapping) else {}, part) for part in value]
    if isinstance(value, str):
        return _typed(schema.get("format", ""), value)
    return float(value) if schema.get("type") == "number" and isinstance(value, int) else value


def _typed(name: str, value: str) -> Any:
    if name in {"date-time", "datetime"}:
        return formats.instant(value)
    if name == "duration":
        return formats.duration(value)
    return base64.b64decode(value) if name == "byte" else value


def _escaped(name: str) -> str:
    if name in _RESERVED:
        return f"__{name}__"
    escaped = name.replace("__", "__underscores__")
    for char, word in ((".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        escaped = escaped.replace(char, word)
    return escaped
