"""The certificate of the webhook: given in files, or made here and shared by the replicas in a Secret.

Rule 1: an authority of its own signs the certificate, so that a new one needs no word to the API server.
Rule 2: a certificate is renewed when a third of its time is left; an authority when it would end before a new
        certificate does, and then the old one is trusted for as long as anybody may still show what it signed.
Rule 3: of two replicas that make one the first to store it is right, and the other takes what is there.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset.clock import Clock
from toolset.tools import Json

LIFETIME = timedelta(days=90)
AUTHORITY_LIFETIME = timedelta(days=3650)
_SKEW = timedelta(hours=1)
"""Clocks differ: it is good from a little before it was made."""
_FILES = ("ca.crt", "ca.key", "tls.crt", "tls.key")


@dataclass(frozen=True)
class Certificate:
    """PEM: what the server shows, its key (never in a repr), and what the API server is to trust."""

    chain: bytes
    key: bytes
    authorities: bytes

    def __repr__(self) -> str:
        """Show nothing secret."""
        return f"<Certificate until {until(self.chain):%Y-%m-%d}>"


def from_files(chain: str, key: str, authority: str) -> Certificate:
    """Return what files have; raise OSError where one cannot be read."""
    return Certificate(*(Path(each).read_bytes() for each in (chain, key, authority)))


def until(pem: bytes) -> datetime:
    """Return when a certificate ends."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


class SharedCertificate:
    """The certificate in the Secret that all replicas share."""

    def __init__(self, cluster: Cluster, clock: Clock, *, namespace: str, secret: str, hosts: Sequence[str]) -> None:
        """Keep it good for `hosts`: names and addresses."""
        self._cluster = cluster
        self._clock = clock
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._secret = secret
        self._hosts = tuple(hosts)

    async def get(self) -> Certificate:
        """Return one that is good, made or renewed where it has to be; raise ClusterError."""
        while True:
            try:
                return await self._get()
            except ClusterError as exc:
                if exc.status != HTTPStatus.CONFLICT:  # another replica was faster
                    raise

    async def _get(self) -> Certificate:
        own = f"{self._path}/{self._secret}"
        try:
            found = await self._cluster.get(own)
        except ClusterError as exc:
            if exc.status != HTTPStatus.NOT_FOUND:
                raise
            files = make(self._hosts, self._clock.now())
            await self._cluster.post(self._path, {"metadata": {"name": self._secret}, "data": _encoded(files)})
            return _certificate(files)
        files = _decoded(found)
        if not good(files, self._hosts, self._clock.now()):
            files = make(self._hosts, self._clock.now(), files)
            version = {"resourceVersion": found["metadata"]["resourceVersion"]}
            await self._cluster.patch(own, {"metadata": version, "data": _encoded(files)})
        return _certificate(files)


Files = Mapping[str, bytes]


def good(files: Files, hosts: Sequence[str], now: datetime) -> bool:
    """Tell whether a certificate is for all of `hosts`, and not soon to end; what cannot be read is not."""
    try:
        chain = x509.load_pem_x509_certificate(files["tls.crt"])
        names = chain.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        serialization.load_pem_private_key(files["tls.key"], None)
        ours = load_authority(files, now) is not None
    except (KeyError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return ours and set(_names(hosts)) <= set(names) and now < chain.not_valid_after_utc - LIFETIME / 3


def make(hosts: Sequence[str], now: datetime, old: Files | None = None) -> dict[str, bytes]:
    """Return the files of a new certificate, by the authority of `old` where that is good for long enough."""
    old = old or {}
    authority = load_authority(old, now + LIFETIME)
    if authority is not None:
        bundle = old["ca.crt"]
    else:
        authority = _new_authority(now)
        bundle = authority[0].public_bytes(_PEM) + (old["ca.crt"] if load_authority(old, now) else b"")
    ca, ca_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    usage = [ExtendedKeyUsageOID.SERVER_AUTH]
    leaf = (
        _builder("toolset-webhook", now, LIFETIME)
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return {"ca.crt": bundle, "ca.key": _pem(ca_key), "tls.crt": leaf.public_bytes(_PEM), "tls.key": _pem(key)}


_PEM = serialization.Encoding.PEM
Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def load_authority(files: Files, then: datetime) -> Authority | None:
    """Return the authority, None where there is none that can be read and is good at that time."""
    try:
        certificate = x509.load_pem_x509_certificate(files["ca.crt"])  # the first is the newest
        key = serialization.load_pem_private_key(files["ca.key"], None)
    except (KeyError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    return (certificate, key) if then < certificate.not_valid_after_utc else None


def _new_authority(now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = "toolset-webhook-authority"
    certificate = (
        _builder(name, now, AUTHORITY_LIFETIME)
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _builder(name: str, now: datetime, lifetime: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    def name(host: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            return x509.DNSName(host)

    return [name(host) for host in hosts]


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _encoded(files: Files) -> dict[str, str]:
    return {name: base64.b64encode(content).decode() for name, content in files.items()}


def _decoded(secret: Json) -> dict[str, bytes]:
    data = secret.get("data") or {}
    return {name: base64.b64decode(data[name]) for name in _FILES if name in data}


def _certificate(files: Files) -> Certificate:
    return Certificate(files["tls.crt"], files["tls.key"], files["ca.crt"])
