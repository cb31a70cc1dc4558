"""The authority: its certificates are taken where they should be, by strict verifiers, and nowhere else."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testinfra.kubernetes.certs import Authority, Pair, save, service_account_pair


@contextlib.contextmanager
def serving(authority: Authority, folder: Path, hosts: list[str]) -> Iterator[int]:
    """A TLS server that asks for a client certificate of `authority`, and says whose it got; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server(hosts).save(folder, "server"))
    context.load_verify_locations(cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with plain, contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as secured:
                    peer = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
                    secured.sendall("/".join(str(part.value) for part in peer.subject).encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def ask(port: int, trusted: Authority, pair: Pair, folder: Path, host: str = "127.0.0.1") -> str:
    """What the server says to a client that trusts `trusted`, by the strictest rules that Python has."""
    context = ssl.create_default_context(cadata=trusted.pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(*pair.save(folder, "client"))
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    with plain, context.wrap_socket(plain, server_hostname=host) as secured:
        return secured.recv(100).decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
def test_a_server_is_taken_under_all_its_names_and_knows_its_client(tmp_path: Path, host: str) -> None:
    """Names and addresses; the client by user and group."""
    authority = Authority.create()
    with serving(authority, tmp_path, ["127.0.0.1", "localhost", "kubernetes.default.svc"]) as port:
        assert ask(port, authority, authority.client("jane", ["readers"]), tmp_path, host) == "readers/jane"


def test_a_server_under_another_name_is_refused(tmp_path: Path) -> None:
    """The common name counts for nothing."""
    authority = Authority.create()
    with serving(authority, tmp_path, ["localhost"]) as port, pytest.raises(ssl.SSLCertVerificationError):
        ask(port, authority, authority.client("jane"), tmp_path, "elsewhere")


def test_a_server_of_another_authority_is_refused(tmp_path: Path) -> None:
    """Two authorities share nothing."""
    authority, other = Authority.create(), Authority.create()
    with serving(authority, tmp_path, ["127.0.0.1"]) as port, pytest.raises(ssl.SSLCertVerificationError):
        ask(port, other, authority.client("jane"), tmp_path)


def test_a_client_of_another_authority_gets_no_answer(tmp_path: Path) -> None:
    """Nor does one that shows a server's certificate."""
    authority, other = Authority.create(), Authority.create()
    with serving(authority, tmp_path, ["127.0.0.1"]) as port:
        for pair in (other.client("jane", ["readers"]), authority.server(["jane"])):
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                assert ask(port, authority, pair, tmp_path) == ""


def test_a_certificate_is_valid_for_clocks_that_are_behind_and_for_long_runs() -> None:
    """From an hour ago, for weeks."""
    certificate = x509.load_pem_x509_certificate(Authority.create().client("jane").cert)
    now = dt.datetime.now(dt.UTC)
    assert certificate.not_valid_before_utc < now - dt.timedelta(minutes=30)
    assert certificate.not_valid_after_utc > now + dt.timedelta(days=7)


def test_a_user_of_several_groups_is_in_all_of_them() -> None:
    """One organisation each, as an API server reads them."""
    certificate = x509.load_pem_x509_certificate(Authority.create().client("jane", ["a", "b"]).cert)
    groups = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [group.value for group in groups] == ["a", "b"]


def test_the_service_account_keys_belong_together() -> None:
    """What the private one signs, the public one verifies."""
    pair = service_account_pair()
    private = serialization.load_pem_private_key(pair.key, None)
    public = serialization.load_pem_public_key(pair.cert)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(private.sign(b"token", ec.ECDSA(hashes.SHA256())), b"token", ec.ECDSA(hashes.SHA256()))


def test_files_are_for_our_eyes_only_whatever_stood_there(tmp_path: Path) -> None:
    """A pair is two files; one that is written again keeps its mode."""
    pair = Authority.create().client("jane")
    cert_file, key_file = (Path(path) for path in pair.save(tmp_path, "jane"))
    assert (cert_file.name, key_file.name) == ("jane.crt", "jane.key")
    assert (cert_file.read_bytes(), key_file.read_bytes()) == tuple(pair)
    save(cert_file, b"other")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (cert_file, key_file)] == [0o600, 0o600]


def test_a_pair_shows_no_key() -> None:
    """In a log or a report."""
    assert "PRIVATE" not in repr(Authority.create().client("jane"))
