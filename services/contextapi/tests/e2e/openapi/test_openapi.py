"""schemathesis over the service's OpenAPI document: examples, edge cases and random requests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from servicekit.testing import Served

HERE = Path(__file__).parent
PHASES = ("Examples", "Coverage", "Fuzzing")


def test_the_service_does_what_its_openapi_document_says(
    service: Served, client: httpx.Client, add: Callable[..., int], tmp_path: Path
) -> None:
    """Every operation, in every phase: right requests are taken, wrong ones refused, and answers are as announced."""
    for phase in ("pending", "completed", "failed"):
        add(phase=phase, embedding=[1.0] * 384, metadata={"tries": 2})
    operations = sum(len(methods) for methods in client.get("/openapi.json").json()["paths"].values())
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{service.url}/openapi.json", "--no-color", "--output-truncate=true"]
    hooks = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py")}
    ended = subprocess.run(command, cwd=tmp_path, env=hooks, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr
    assert f"Operations:       {operations} selected / {operations} total" in ended.stdout
    for phase in PHASES:
        assert f"✅ {phase}" in ended.stdout.replace("✅  ", "✅ "), ended.stdout
