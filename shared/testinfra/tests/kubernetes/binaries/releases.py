"""What the real sites have for one release of Kubernetes, in small, under the same paths."""

from __future__ import annotations

from collections.abc import Mapping

from shared.testinfra.tests.kubernetes.binaries.fileserver import archive, script, sha512
from testinfra.servers.binaries.catalogue import packaged, this_platform

SYSTEM, _, ARCHITECTURE = this_platform().partition("-")
INDEX = "/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"


def archive_path(version: str) -> str:
    """Where the envtest archive of a release is."""
    url = packaged().downloads["envtest"].url.format(version=version, os=SYSTEM, arch=ARCHITECTURE)
    return "/" + url.split("/", 3)[3]


def programs(version: str) -> dict[str, bytes]:
    """The three programs of an envtest archive."""
    return {
        "kube-apiserver": script(f"Kubernetes v{version}"),
        "etcd": script("etcd Version: 3.6.8"),
        "kubectl": script(f"Client Version: v{version}"),
    }


def index(sums: Mapping[str, str]) -> bytes:
    """The index of the envtest releases: version -> SHA-512 of its archive."""
    lines = ["releases:"]
    for version, digest in sums.items():
        url = f"https://github.com{archive_path(version)}"
        lines += [f"  v{version}:", f"    {url.rpartition('/')[2]}:", f"      hash: {digest}", f"      selfLink: {url}"]
    return "\n".join([*lines, ""]).encode()


def release(version: str, content: bytes | None = None) -> dict[str, bytes]:
    """All that is there for one version: path -> content. `content` takes the place of the archive."""
    packed = archive(programs(version)) if content is None else content
    manager = script(f"Kubernetes v{version}")
    path = f"/release/v{version}/bin/{SYSTEM}/{ARCHITECTURE}/kube-controller-manager"
    return {
        archive_path(version): packed,
        INDEX: index({version: sha512(packed), "1.99.0-alpha.1": "0" * 128}),
        path: manager,
        f"{path}.sha512": sha512(manager).encode() + b"\n",
    }
