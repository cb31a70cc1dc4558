"""Kubeconfig files: what `kubectl` and every client library read to find a server and log in.

Rule 1: a file holds all it needs (certificates and keys inline), so it can be copied to another directory or container.
Rule 2: it is written as JSON, which is YAML too, so that writing one needs no library; only we can read it.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

_NAME = "testinfra"


def write(
    path: Path,
    *,
    server: str,
    ca_file: str = "",
    cert_file: str = "",
    key_file: str = "",
    token: str = "",
    namespace: str = "",
) -> str:
    """Write a kubeconfig with one context, replaced whole if it exists; gives its path.

    Without `ca_file` the server's certificate is not checked. A `token` wins over a certificate: there is one identity.
    """
    if ca_file:
        cluster: dict[str, object] = {"certificate-authority-data": _inline(ca_file)}
    else:
        cluster = {"insecure-skip-tls-verify": True}
    user: dict[str, object] = {}
    if token:
        user = {"token": token}
    elif cert_file:
        user = {"client-certificate-data": _inline(cert_file), "client-key-data": _inline(key_file)}
    context = {"cluster": _NAME, "user": _NAME} | ({"namespace": namespace} if namespace else {})
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": server, **cluster}}],
        "users": [{"name": _NAME, "user": user}],
        "contexts": [{"name": _NAME, "context": context}],
        "current-context": _NAME,
    }
    draft = path.with_name(f"{path.name}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(content, indent=2))  # at once: json.dump is Python's, piece by piece
    return str(draft.replace(path))


def _inline(path: str) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode()
