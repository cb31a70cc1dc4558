"""Subresources with a meaning of their own: the eviction of a pod, the tokens of a service account."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from testinfra.kubernetes.fake import bodies, deleting
from testinfra.kubernetes.fake.call import Answer, Call
from testinfra.kubernetes.fake.status_errors import bad_request
from testinfra.kubernetes.fake.store import Object

_SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _sent(call: Call) -> Object:
    found: Any = bodies.parsed(call.body, call.content_type, "the object provided is unrecognized")
    if not isinstance(found, dict):
        raise bad_request("the object provided is unrecognized: it is no object")
    return found


def evict(call: Call) -> Answer:
    """Delete a pod; no PodDisruptionBudget is asked: no controller fills in what it allows."""
    options = _sent(call).get("deleteOptions") or {}
    deleting.delete(replace(call, body=json.dumps(options).encode(), content_type=bodies.JSON))
    return Answer(document=_SUCCESS, code=201)


def issue_token(call: Call) -> Answer:
    """Answer a TokenRequest."""
    account = call.found().content
    return Answer(document=call.world.authenticator.issue(account, _sent(call)), code=201)


VERBS: Mapping[tuple[str, str, str], Callable[[Call], Answer]] = {
    ("", "pods", "eviction"): evict,
    ("", "serviceaccounts", "token"): issue_token,
}
"""By group, plural and subresource."""
