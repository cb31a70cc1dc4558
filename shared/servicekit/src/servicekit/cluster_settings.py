"""Settings of services that work on Kubernetes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from servicekit.settings import Settings

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_namespace(text: str) -> bool:
    """Tell whether `text` can be the name of a namespace: an RFC 1123 label of at most 63 characters."""
    return _LABEL.fullmatch(text) is not None


def _split(value: Any) -> Any:
    """Take "a, b" for ("a", "b"), as a variable has no lists."""
    if isinstance(value, str):
        return tuple(part for part in re.split(r"[,\s]+", value) if part)
    return tuple(value) if isinstance(value, list) else value


def _names_a_namespace(value: str) -> str:
    if not is_namespace(value):
        raise ValueError("it is no name of a namespace")
    return value


def _names_namespaces(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if not is_namespace(name):
            raise ValueError(f"{name!r} is no name of a namespace")
    return value


def _is_a_file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError("there is no such file")
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Namespace = Annotated[str, AfterValidator(_names_a_namespace)]
Namespaces = Annotated[Names, AfterValidator(_names_namespaces)]


class ClusterSettings(Settings):
    """What can be told to a service that works on Kubernetes; times in seconds."""

    kubeconfig: Annotated[str, AfterValidator(_is_a_file)] = Field(
        default="", description="the path of a kubeconfig file, or nothing for the service account of the pod"
    )
    kubernetes_timeout: float = Field(
        default=5.0, description="seconds for one request to Kubernetes, more than 0", gt=0, allow_inf_nan=False
    )
    auth_cache: float = Field(
        default=60.0, description="seconds that a review is relied on, 0 to 600", ge=0, le=600, allow_inf_nan=False
    )
