"""From options to specs: which servers a run means. The plugin and the command line ask here, so they mean the same."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from testinfra.options import Options
from testinfra.servers.backend import Spec, Terms

if TYPE_CHECKING:
    from testinfra.servers.binaries import Sources


def postgres(options: Options, *, exclusive: str = "") -> Spec:
    """Say which Postgres `options` ask for; an exclusive one keeps what it has committed when it is killed."""
    if options.postgres == "external":
        settings: dict[str, Any] = {"dsn": options.postgres_dsn, "extensions": list(options.postgres_extensions)}
    else:
        settings = {
            "bindir": options.postgres_bindir,
            "run_as": options.postgres_run_as,
            "extensions": list(options.postgres_extensions),
            "settings": [*(["synchronous_commit=on"] if exclusive else []), *options.postgres_settings],
            "max_connections": options.postgres_max_connections,
        }
    return Spec(kind="postgres", backend=options.postgres, settings=settings, exclusive=exclusive)


def redis(options: Options, *, exclusive: str = "") -> Spec:
    """Say which Redis `options` ask for; an exclusive one keeps what it has answered when it is killed."""
    if options.redis == "external":
        return Spec(kind="redis", backend="external", settings={"url": options.redis_url}, exclusive=exclusive)
    settings: dict[str, Any] = {"binary": options.redis_binary}
    settings |= {"databases": 16, "durable": True} if exclusive else {"databases": options.redis_databases}
    return Spec(kind="redis", backend=options.redis, settings=settings, exclusive=exclusive)


def kubernetes(options: Options, *, exclusive: str = "", plane: int = 0) -> Spec:
    """Say which API server `options` ask for; the programs of a local one are found here, or built.

    That may take minutes the first time, so it is done by who asks and not by the keeper, whom nobody sees.
    """
    settings: dict[str, Any] = {}
    if options.kubernetes == "external":
        settings = {"kubeconfig": options.kubernetes_kubeconfig, "context": options.kubernetes_context}
    elif options.kubernetes == "apiserver":
        settings = {
            "binaries": _control_plane(options),
            "controllers": options.kubernetes_controllers,
            "args": list(options.kubernetes_args),
            "plane": plane,
        }
    return Spec(kind="kubernetes", backend=options.kubernetes, settings=settings, exclusive=exclusive)


def sources(options: Options) -> Sources:
    """Say where programs may come from."""
    from testinfra.servers.binaries import Sources  # noqa: PLC0415 - only for a control plane of our own

    return Sources(
        kubernetes_version=options.kubernetes_version,
        cache_dir=options.cache_dir,
        mirrors=options.binaries_mirrors,
        download=options.binaries_download,
        build=options.binaries_build,
    )


@functools.lru_cache(maxsize=4)
def _control_plane(options: Options) -> dict[str, str]:
    from testinfra.servers import binaries  # noqa: PLC0415 - only for a control plane of our own

    names = ["etcd", "kube-apiserver", *(["kube-controller-manager"] if options.kubernetes_controllers else [])]
    found = binaries.locate_all(names, sources(options))
    return {name: str(found[name].path) for name in names}


def terms(options: Options, *, port: int = 0) -> Terms:
    """Say how a server is to be kept."""
    return Terms(linger=options.linger, start_timeout=options.start_timeout, port=port, cache_dir=options.cache_dir)


_KUBERNETES = {
    "fake": "fake, in process",
    "apiserver": "apiserver {version}, started at first use",
    "external": "external, its version is asked at first use",
}


def describe(options: Options) -> dict[str, str]:
    """Say in words which backends and versions the run stands on, without starting any; kind -> words.

    A backend that cannot be found is said so here; the error itself comes with the first test that wants it.
    """
    from testinfra.errors import StandError  # noqa: PLC0415 - with the two below: header only
    from testinfra.postgres import binaries  # noqa: PLC0415
    from testinfra.redis import embedded as redis_embedded  # noqa: PLC0415

    found: dict[str, str] = {}
    try:
        if options.postgres == "external":
            found["postgres"] = "external, its version is asked at first use"
        else:
            build = binaries.find(options.postgres_bindir)
            found["postgres"] = f"embedded {build.version} ({build.source})"
    except StandError as exc:
        found["postgres"] = f"not available: {exc.happened}"
    try:
        if options.redis == "external":
            found["redis"] = "external, its version is asked at first use"
        else:
            binary = redis_embedded.find(options.redis_binary)
            found["redis"] = f"embedded {binary.version} ({binary.source})"
    except StandError as exc:
        found["redis"] = f"not available: {exc.happened}"
    return found | {"kubernetes": _KUBERNETES[options.kubernetes].format(version=options.kubernetes_version)}
