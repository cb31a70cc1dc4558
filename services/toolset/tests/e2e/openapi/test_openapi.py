"""schemathesis over the service's OpenAPI document: examples, edge cases and random requests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from servicekit.testing import Served
from testinfra.endpoints import Cluster

HERE = Path(__file__).parent
PHASES = ("Examples", "Coverage", "Fuzzing")


def test_the_service_does_what_its_openapi_document_says(
    add: Callable[..., dict[str, Any]],
    serve: Callable[..., Served],
    service_account: Callable[..., Cluster],
    tmp_path: Path,
) -> None:
    """Every operation, in every phase: right requests are taken, wrong ones refused, and answers are as announced."""
    add("prometheus", 9090)
    served = serve(auth="token")
    token = service_account().token
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.post(f"{served.url}/api/v1/toolsets/generate", headers=headers, timeout=60).status_code == 200
    operations = sum(len(methods) for methods in httpx.get(f"{served.url}/openapi.json").json()["paths"].values())
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{served.url}/openapi.json", "--no-color", "--output-truncate=true"]
    command += ["--header", f"Authorization: {headers['Authorization']}"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout[-20_000:].replace(token, "(token)") + ended.stderr
    assert f"Operations:       {operations} selected / {operations} total" in ended.stdout
    for phase in PHASES:
        assert f"✅ {phase}" in ended.stdout.replace("✅  ", "✅ "), ended.stdout
