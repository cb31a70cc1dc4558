"""schemathesis over the service's OpenAPI document: examples, edge cases and random requests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from servicekit.testing import Served
from testinfra.endpoints import Cluster

HERE = Path(__file__).parent
PHASES = ("Examples", "Coverage", "Fuzzing")
MAY_POST = [{"nonResourceURLs": ["/api/v1/signals/*"], "verbs": ["post"]}]


def test_the_service_does_what_its_openapi_document_says(
    serve: Callable[..., Served], service_account: Callable[..., Cluster], tmp_path: Path
) -> None:
    """Every operation, in every phase: right requests are taken, wrong ones refused, and answers are as announced."""
    served = serve(auth="token")
    token = service_account(cluster_rules=MAY_POST).token
    operations = sum(len(methods) for methods in httpx.get(f"{served.url}/openapi.json").json()["paths"].values())
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{served.url}/openapi.json", "--no-color", "--output-truncate=true"]
    command += ["--header", f"Authorization: Bearer {token}"]
    hooks = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py")}
    ended = subprocess.run(command, cwd=tmp_path, env=hooks, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout[-20_000:].replace(token, "(token)") + ended.stderr
    assert f"Operations:       {operations} selected / {operations} total" in ended.stdout
    for phase in PHASES:
        assert f"✅ {phase}" in ended.stdout.replace("✅  ", "✅ "), ended.stdout
