"""Kubeconfig files, as the official client reads them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration
from kubernetes.config import list_kube_config_contexts, load_kube_config

from testinfra.kubernetes import kubeconfig
from testinfra.kubernetes.certs import Authority, save

SERVER = "https://127.0.0.1:36443"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A login by certificate."""
    authority = Authority.create()
    cert_file, key_file = authority.client("jane").save(tmp_path, "jane")
    ca_file = str(save(tmp_path / "ca.crt", authority.pem))
    return {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}


def read(path: str, folder: Path) -> Configuration:
    found = Configuration()
    load_kube_config(  # type: ignore[no-untyped-call]  # its own gap
        config_file=path, client_configuration=found, persist_config=False, temp_file_path=str(folder / "read")
    )
    return found


def test_a_login_by_certificate_is_read_as_it_was_written(tmp_path: Path, files: dict[str, str]) -> None:
    """After the files that it was made of are gone, and from another folder."""
    contents = {name: Path(path).read_bytes() for name, path in files.items()}
    path = kubeconfig.write(tmp_path / "config", server=SERVER, **files)
    for name in files.values():
        Path(name).unlink()
    moved = str(Path(path).rename(tmp_path / "moved"))
    found = read(moved, tmp_path)
    assert found.host == SERVER
    assert found.verify_ssl
    said = {"ca_file": found.ssl_ca_cert, "cert_file": found.cert_file, "key_file": found.key_file}
    assert {name: Path(str(file)).read_bytes() for name, file in said.items()} == contents


def test_a_token_is_the_only_login_where_there_is_one(tmp_path: Path, files: dict[str, str]) -> None:
    """A certificate beside it would decide who one is."""
    path = kubeconfig.write(tmp_path / "config", server=SERVER, token="t0", **files)
    found = read(path, tmp_path)
    assert found.api_key["BearerToken"] == "Bearer t0"
    assert not found.cert_file


def test_the_namespace_is_the_contexts(tmp_path: Path) -> None:
    """Where a client asks for none."""
    path = kubeconfig.write(tmp_path / "config", server=SERVER, token="t0", namespace="mine")
    active: dict[str, Any] = list_kube_config_contexts(path)[1]  # type: ignore[no-untyped-call]  # its own gap
    assert active["context"]["namespace"] == "mine"


def test_without_an_authority_the_server_is_not_checked(tmp_path: Path) -> None:
    """And the file says so."""
    path = kubeconfig.write(tmp_path / "config", server=SERVER, token="t0")
    assert read(path, tmp_path).verify_ssl is False


def test_it_is_json_and_yaml_and_for_our_eyes_only(tmp_path: Path) -> None:
    """Replaced whole when written again."""
    path = tmp_path / "config"
    for namespace in ("a", "b"):
        kubeconfig.write(path, server=SERVER, token="t0", namespace=namespace)
    assert json.loads(path.read_text()) == yaml.safe_load(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["config"]
