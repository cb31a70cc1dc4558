"""An operator written with kopf, run by `kopf run`: it gives every widget a config map and keeps it in step.

What it does beside that is written into config maps as well, so that a test sees it through the API alone.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import kopf
from kubernetes import client, config

GROUP = "contract.example.com"
FINALIZER = f"{GROUP}/kopf"


@kopf.on.startup()
def settle(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Log the official client in as kopf itself is: by the kubeconfig."""
    settings.persistence.finalizer = FINALIZER
    config.load_kube_config()  # type: ignore[no-untyped-call]  # has no types


def write(namespace: Any, name: str, owner: kopf.Body | None = None, **data: str) -> None:
    """Make a config map, the owner's where one is given; kopf calls handlers once or more, so it may be there."""
    made: Any = {"metadata": {"name": name}, "data": data}
    if owner is not None:
        kopf.adopt(made, owner=owner)
    try:
        client.CoreV1Api().create_namespaced_config_map(namespace, made)
    except client.ApiException as exc:
        if exc.status != HTTPStatus.CONFLICT:
            raise


@kopf.on.create(GROUP, "v1", "widgets")
def made(body: kopf.Body, name: str, namespace: str | None, spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> None:
    """Make its child."""
    write(namespace, f"{name}-child", body, size=str(spec["size"]))
    patch.status["phase"] = "made"


@kopf.on.update(GROUP, "v1", "widgets", field="spec.size")
def resized(name: str, namespace: Any, old: Any, new: Any, patch: kopf.Patch, **_: Any) -> None:
    """Keep the child in step."""
    client.CoreV1Api().patch_namespaced_config_map(f"{name}-child", namespace, {"data": {"size": str(new)}})
    patch.status["phase"] = f"{old} to {new}"


@kopf.on.delete(GROUP, "v1", "widgets")
def ended(name: str, namespace: str | None, **_: Any) -> None:
    """Say so."""
    write(namespace, f"{name}-ended")


@kopf.timer(GROUP, "v1", "widgets", interval=0.1, labels={"timer": kopf.PRESENT})
def ticked(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    """Count."""
    patch.status["observedGeneration"] = status.get("observedGeneration", 0) + 1


@kopf.daemon(GROUP, "v1", "widgets", labels={"daemon": kopf.PRESENT}, cancellation_polling=0.1)
def stays(name: str, namespace: str | None, stopped: kopf.DaemonStopped, **_: Any) -> None:
    """Say that it has begun, and that it has ended."""
    write(namespace, f"{name}-daemon-began")
    stopped.wait(60)  # type: ignore[unused-awaitable]  # to be awaited only in a coroutine
    write(namespace, f"{name}-daemon-ended")
