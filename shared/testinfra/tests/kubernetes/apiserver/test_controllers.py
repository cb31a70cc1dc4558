"""What kube-controller-manager does for a control plane: namespaces, cascades and service accounts behave."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.testinfra.tests.kubernetes.control_planes import configmap, is_gone
from testinfra.kubernetes.rest import Rest
from testinfra.servers.ready import wait_until
from testinfra.stand import Stand

WITHIN = 30.0
"""Seconds after which it is given up. 7 are promised on a machine that does nothing else, 5 the controller waits."""


def test_a_namespace_of_50_objects_with_owners_and_finalizers_goes(
    rest: Rest, own: str, record_property: Callable[[str, object], None]
) -> None:
    """Who put finalizers there takes them away once it is being deleted; the report says how long it took."""
    owner = rest.post(f"{own}/configmaps", configmap("owner"))["metadata"]["uid"]
    for number in range(44):
        rest.post(f"{own}/configmaps", configmap(f"owned-{number}", owner="owner", uid=owner))
    held = [f"held-{number}" for number in range(5)]
    for name in held:
        rest.post(f"{own}/configmaps", configmap(name, finalizers=("example.com/hold",)))
    started = time.monotonic()
    assert rest.delete(own)["status"]["phase"] == "Terminating"
    for name in held:
        rest.patch(f"{own}/configmaps/{name}", {"metadata": {"finalizers": None}})
    wait_until(lambda: is_gone(rest, own), what="the namespace is gone", timeout=WITHIN)
    record_property("seconds until it was gone", round(time.monotonic() - started, 2))


def test_what_holds_a_finalizer_keeps_its_namespace(rest: Rest, own: str) -> None:
    """The controller names it in the namespace's conditions; it looks again some seconds after that is gone."""
    rest.post(f"{own}/configmaps", configmap("held", finalizers=("example.com/hold",)))
    rest.delete(own)

    def blocked() -> bool:
        conditions = rest.get(own)["status"].get("conditions", [])
        return any("example.com/hold" in condition["message"] for condition in conditions)

    wait_until(blocked, what="the finalizer is named", timeout=20)
    rest.patch(f"{own}/configmaps/held", {"metadata": {"finalizers": None}})
    wait_until(lambda: is_gone(rest, own), what="the namespace is gone", timeout=30)


def test_what_is_owned_goes_with_its_owner(rest: Rest, own: str) -> None:
    """The garbage collector finds owners by uid."""
    uid = rest.post(f"{own}/configmaps", configmap("owner"))["metadata"]["uid"]
    rest.post(f"{own}/configmaps", configmap("owned", owner="owner", uid=uid))
    rest.post(f"{own}/configmaps", configmap("free"))
    rest.delete(f"{own}/configmaps/owner", {"propagationPolicy": "Background"})
    wait_until(lambda: is_gone(rest, f"{own}/configmaps/owned"), what="the owned one is gone", timeout=WITHIN)
    assert not is_gone(rest, f"{own}/configmaps/free")


def test_every_namespace_has_a_default_service_account(rest: Rest, own: str) -> None:
    """Soon after it is made."""
    path = f"{own}/serviceaccounts/default"
    wait_until(lambda: not is_gone(rest, path), what="the account is there", timeout=5)


def test_the_aggregated_roles_are_not_empty(rest: Rest) -> None:
    """`admin`, `edit` and `view` are put together of others by a controller."""
    for name in ("admin", "edit", "view"):
        path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}"
        wait_until(lambda path=path: rest.get(path)["rules"], what=f"{name} has rules", timeout=5)  # type: ignore[misc]  # as above


def test_sixty_namespaces_at_once_do_not_wait_for_each_other(rest: Rest, testinfra_stand: Stand) -> None:
    """The controller's own limit of 20 requests a second would make it minutes."""
    names = testinfra_stand.names("many")
    paths = [f"/api/v1/namespaces/{names.next_label()}" for _ in range(60)]
    for path in paths:
        rest.post("/api/v1/namespaces", {"metadata": {"name": path.rpartition("/")[2]}})
    for path in paths:
        rest.delete(path)
    wait_until(lambda: all(is_gone(rest, path) for path in paths), what="all are gone", timeout=60)
