"""The program itself: `python -m toolset serve` on a socket that is handed over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from testinfra.serving import Service
from toolset import ServeSettings

Environment = dict[str, str]


@pytest.fixture
def environment(settings: ServeSettings) -> Environment:
    """Give the variables of a service for this test's namespace."""
    return {
        "TOOLSET_KUBECONFIG": settings.kubeconfig,
        "TOOLSET_NAMESPACES": ",".join(settings.namespaces),
        "TOOLSET_CONFIGMAP_NAMESPACE": settings.configmap_namespace,
        "TOOLSET_CONNECT_TO": ",".join(settings.connect_to),
        "TOOLSET_AUTH": "off",
        "TOOLSET_SHUTDOWN_GRACE": "0",
    }


@pytest.fixture
def start_verb(start_service: Callable[..., Service]) -> Callable[..., Service]:
    """Give a function that runs `python -m toolset <verb>` with these variables, until the test ends."""

    def start(verb: str, environment: Environment, *, wait: bool = True) -> Service:
        return start_service("toolset", environment, arguments=[verb], socket_variable="TOOLSET_SOCKET_FD", wait=wait)

    return start
