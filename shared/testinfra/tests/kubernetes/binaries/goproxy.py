"""A Go module proxy as a folder: what GOPROXY=file:///... and any file server can serve."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path


def publish(root: Path, module: str, version: str, go_mod: str, files: Mapping[str, str]) -> None:
    """Add a version of a module; `files` maps paths in it to their content. Names are in small letters."""
    home = root / module / "@v"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "list").open("a") as listed:
        listed.write(f"{version}\n")
    (home / f"{version}.info").write_text(json.dumps({"Version": version, "Time": "2026-01-01T00:00:00Z"}))
    (home / f"{version}.mod").write_text(go_mod)
    with zipfile.ZipFile(home / f"{version}.zip", "w") as archive:
        for path, content in {"go.mod": go_mod, **files}.items():
            archive.writestr(f"{module}@{version}/{path}", content)


def served(root: Path) -> dict[str, bytes]:
    """All of it for a `FileServer`."""
    return {f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()}
