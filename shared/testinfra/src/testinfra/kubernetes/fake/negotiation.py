"""What form of an answer a client takes: the Accept header, read as `k8s.io/apiserver`'s negotiation reads it.

Rule 1: of the forms that the client names, in its order, the first that there is is taken; if there is none: 406.
Rule 2: JSON and YAML are there, of whole objects, tables and metadata. Protobuf and CBOR are not: clients that prefer
        them name JSON as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from testinfra.kubernetes.fake.bodies import JSON, YAML
from testinfra.kubernetes.fake.http import Response
from testinfra.kubernetes.fake.status_errors import NOT_ACCEPTABLE, Refused, refused

_SHAPES = ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Accept:
    """What was agreed on."""

    media_type: str = JSON
    shape: str = ""
    """"" for whole objects, else `Table`, `PartialObjectMetadata` or `PartialObjectMetadataList`."""
    version: str = "v1"
    """Of meta.k8s.io."""


_PLAIN = Accept()


def agree(header: str) -> Accept:
    """Read an Accept header. Raises `Refused` (406)."""
    if header in ("", JSON, "*/*", "application/json, */*"):
        return _PLAIN
    for clause in header.split(","):
        media_type, *parameters = (part.strip() for part in clause.split(";"))
        if media_type not in (JSON, YAML, "*/*"):
            continue
        given = dict(part.partition("=")[::2] for part in parameters)
        shape, version = given.get("as", ""), given.get("v", "v1")
        if shape in _SHAPES and version in _VERSIONS:
            return Accept(YAML if media_type == YAML else JSON, shape, version)
    raise _not_acceptable()


def _not_acceptable() -> Refused:
    message = f"only the following media types are accepted: {JSON}, {YAML}"
    return refused(NOT_ACCEPTABLE, "NotAcceptable", message)


def as_yaml(answer: Response) -> Response:
    """Give a JSON answer as YAML."""
    import yaml  # noqa: PLC0415 - 15 ms that most servers never need

    answer.body = yaml.safe_dump(json.loads(answer.body), default_flow_style=False, allow_unicode=True).encode()
    answer.content_type = YAML
    return answer
