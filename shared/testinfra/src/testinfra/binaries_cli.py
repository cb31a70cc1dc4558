"""`testinfra binaries [fetch | path]`: the programs that the stand needs, and where each is.

Rule: what is not said on the command line is as the variables say, so that a run finds what was fetched here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from testinfra import specs
from testinfra.errors import NotAvailable, StandError
from testinfra.options import resolve
from testinfra.servers.binaries.catalogue import Program, packaged
from testinfra.servers.binaries.search import Sources, locate, locate_all

app = typer.Typer(
    help="The programs that servers and faults need (kube-apiserver, etcd, kubectl, ...): list, fetch, print a path."
    " Looked for in this order: variable, PATH, cache, download, build with Go.",
)

_Kubernetes = Annotated[
    str | None, typer.Option("--kubernetes-version", help="Series or release wanted: 1.36 or 1.36.3.")
]
_Cache = Annotated[str | None, typer.Option("--cache-dir", help="Where they are kept (default: the user's cache).")]


@contextmanager
def _told() -> Iterator[None]:
    """Turn the stand's errors into a message and exit code 1."""
    try:
        yield
    except StandError as exc:
        typer.echo(f"{type(exc).__name__}: {exc}", err=True)
        raise typer.Exit(1) from exc


def _on_this_machine(kubernetes_version: str | None, cache_dir: str | None) -> Sources:
    found = specs.sources(resolve({"kubernetes_version": kubernetes_version, "cache_dir": cache_dir}))
    return dataclasses.replace(found, download=False, build=False)


@app.callback(invoke_without_command=True)
def show(context: typer.Context, kubernetes_version: _Kubernetes = None, cache_dir: _Cache = None) -> None:
    """List the programs: version and place of each, or how to get it. Fetches nothing."""
    if context.invoked_subcommand:
        return
    with _told():
        sources = _on_this_machine(kubernetes_version, cache_dir)
        table = Table("program", "version", "from", "path, or how to get it")
        for program in packaged().programs.values():
            table.add_row(program.name, *_row(program, sources))
        Console(width=None if os.isatty(1) else 200).print(table)


def _row(program: Program, sources: Sources) -> tuple[str, str, str]:
    try:
        binary = locate(program.name, sources)
    except NotAvailable:
        wanted = program.wanted(packaged().kubernetes(sources.kubernetes_version))
        ways = [f"download ({name})" for name in program.downloads] + [
            f"build, {packaged().builds[program.build].cost}"
        ]
        return wanted, "missing", f"testinfra binaries fetch {program.name}: {'; '.join(ways)}"
    except StandError as exc:
        return "", "wrong", exc.happened
    return binary.version, binary.source, str(binary.path)


@app.command()
def fetch(  # noqa: PLR0917 - typer calls it by name
    names: Annotated[list[str] | None, typer.Argument(help="Programs (default: those of Kubernetes).")] = None,
    kubernetes_version: _Kubernetes = None,
    mirror: Annotated[
        list[str] | None, typer.Option(help="Server to ask instead: URL, or HOST=URL for one host; may be repeated.")
    ] = None,
    download: Annotated[bool | None, typer.Option("--download/--no-download", help="Whether to download.")] = None,
    build: Annotated[bool | None, typer.Option("--build/--no-build", help="Whether to build what is left.")] = None,
    cache_dir: _Cache = None,
) -> None:
    """Get programs that the machine lacks: by download, else by a build with Go. Prints where each is."""
    with _told():
        options = resolve(
            {
                "kubernetes_version": kubernetes_version,
                "binaries_mirrors": mirror,
                "binaries_download": download,
                "binaries_build": build,
                "cache_dir": cache_dir,
            }
        )
        wanted = names or [program.name for program in packaged().programs.values() if program.by_default]
        for binary in locate_all(wanted, specs.sources(options)).values():
            typer.echo(f"{binary.name} {binary.version} ({binary.source}): {binary.path}")


@app.command()
def path(
    name: Annotated[str, typer.Argument(help="The program.")],
    kubernetes_version: _Kubernetes = None,
    cache_dir: _Cache = None,
) -> None:
    """Print the path of one program, for a script: $(testinfra binaries path kubectl). Fetches nothing."""
    with _told():
        typer.echo(locate(name, _on_this_machine(kubernetes_version, cache_dir)).path)
