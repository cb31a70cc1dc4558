"""`testinfra up | status | env | down`: servers kept warm between runs, for the inner loop and for psql and kubectl.

Rule: a warm server is a leased server whose keeper lingers long; nothing else differs, so a pytest run finds it by the
same key and its tests cannot tell.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from testinfra import binaries_cli, specs
from testinfra.endpoints import Cluster, Postgres, Redis
from testinfra.errors import NotReady, StandError
from testinfra.options import Options, resolve
from testinfra.servers.backend import Spec
from testinfra.servers.places import UP_SCOPE, Place, state_root
from testinfra.servers.ready import wait_until
from testinfra.servers.share import forget_failures, lease, sweep

app = typer.Typer(
    help="Real servers for tests: kept warm between runs, and looked at.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(binaries_cli.app, name="binaries")


class _Embedded(StrEnum):
    """What `up` can keep: an external server needs no keeping."""

    embedded = "embedded"


class _Rung(StrEnum):
    """The API servers that `up` can keep."""

    fake = "fake"
    apiserver = "apiserver"


@contextmanager
def _told() -> Iterator[None]:
    """Turn the stand's errors into a message and exit code 1."""
    try:
        yield
    except StandError as exc:
        forget_failures()  # the next command is to try again
        typer.echo(f"{type(exc).__name__}: {exc}", err=True)
        raise typer.Exit(1) from exc


def _places(options: Options) -> list[Place]:
    root = state_root(options.state_dir)
    found = [Place(path.with_suffix("")) for path in sorted((root / UP_SCOPE).glob("*.lock"))]
    return [place for place in found if place.keeper_lives() and place.read().get("state") == "ready"]


_ENDPOINTS: dict[str, type[Postgres | Redis | Cluster]] = {"postgres": Postgres, "redis": Redis, "kubernetes": Cluster}


def _endpoint(record: dict[str, Any]) -> Postgres | Redis | Cluster:
    given: dict[str, Any] = record["endpoint"]
    return _ENDPOINTS[record["spec"]["kind"]](**given)


def _address(endpoint: Postgres | Redis | Cluster) -> str:
    return endpoint.server if isinstance(endpoint, Cluster) else f"{endpoint.host}:{endpoint.port}"


def _is_gone(place: Place) -> bool:
    return not place.directory.exists()


@app.command()
def up(  # noqa: PLR0917 - typer calls it by name
    postgres: Annotated[_Embedded | None, typer.Option(help="Keep a Postgres.")] = None,
    redis: Annotated[_Embedded | None, typer.Option(help="Keep a Redis.")] = None,
    kubernetes: Annotated[_Rung | None, typer.Option(help="Keep an API server.")] = None,
    postgres_port: Annotated[int, typer.Option(help="Fixed port of Postgres (default: any free one).")] = 0,
    redis_port: Annotated[int, typer.Option(help="Fixed port of Redis (default: any free one).")] = 0,
    kubernetes_port: Annotated[int, typer.Option(help="Fixed port of the API server (default: any free one).")] = 0,
    postgres_bindir: Annotated[str | None, typer.Option(help="Folder of postgres, initdb and psql to use.")] = None,
    redis_binary: Annotated[str | None, typer.Option(help="redis-server or valkey-server to use.")] = None,
    idle_minutes: Annotated[float, typer.Option(help="End a server this long after its last use.")] = 240,
) -> None:
    """Start servers and keep them warm; Postgres and Redis if none is named. More settings: TESTINFRA_ variables."""
    with _told():
        options = resolve({"postgres_bindir": postgres_bindir, "redis_binary": redis_binary})
        wanted: list[tuple[Spec, int]] = []
        none = not (postgres or redis or kubernetes)
        if postgres or none:
            wanted.append((specs.postgres(dataclasses.replace(options, postgres="embedded")), postgres_port))
        if redis or none:
            wanted.append((specs.redis(dataclasses.replace(options, redis="embedded")), redis_port))
        if kubernetes:
            rung = dataclasses.replace(options, kubernetes=kubernetes.value)
            wanted.append((specs.kubernetes(rung), kubernetes_port))
        for spec, port in wanted:
            started = time.monotonic()
            terms = dataclasses.replace(specs.terms(options, port=port), linger=idle_minutes * 60)
            held = lease(spec, root=state_root(options.state_dir), scope=UP_SCOPE, terms=terms)
            endpoint = _endpoint(held.place.read())
            typer.echo(
                f"{spec.kind} {endpoint.version} on {_address(endpoint)},"
                f" {time.monotonic() - started:.2f} s; ends after {idle_minutes:g} minutes without use"
            )
            held.release()
        typer.echo('in this shell: eval "$(testinfra env)"; to end: testinfra down')


@app.command()
def status() -> None:
    """Show the warm servers, and sweep what killed runs left behind."""
    with _told():
        options = resolve({})
        removed = sweep(state_root(options.state_dir))
        places = _places(options)
        table = Table("server", "version", "address", "keeper", "up for", "leases")
        for place in places:
            record = place.read()
            endpoint = _endpoint(record)
            table.add_row(
                place.directory.name,
                endpoint.version,
                _address(endpoint),
                str(record["keeper"]),
                f"{(time.time() - record['ready_at']) / 60:.0f} min",
                str(sum(1 for _ in place.live_leases())),
            )
        if places:
            Console(width=None if os.isatty(1) else 120).print(table)
        else:
            typer.echo("no warm servers; testinfra up starts them")
        for name in removed:
            typer.echo(f"swept {name}, which a killed run left behind")


@app.command()
def env() -> None:
    """Print shell lines: DATABASE_URL, PG*, REDIS_URL, KUBECONFIG of the warm servers: eval "$(testinfra env)"."""
    with _told():
        places = _places(resolve({}))
        if not places:
            raise NotReady("no warm server is running", next_step="testinfra up")
        for place in places:
            for name, value in _endpoint(place.read()).env().items():
                typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def down() -> None:
    """End the warm servers, also those that a test run is using."""
    with _told():
        options = resolve({})
        places = _places(options)
        for place in places:
            os.kill(int(place.read()["keeper"]), signal.SIGTERM)
        for place in places:
            wait_until(functools.partial(_is_gone, place), what=f"{place.directory.name} ends", timeout=15)
            typer.echo(f"ended {place.directory.name}")
        for name in sweep(state_root(options.state_dir)):
            typer.echo(f"swept {name}, which a killed run left behind")
        if not places:
            typer.echo("no warm servers")


if __name__ == "__main__":
    app()
