"""An authority of the stand's own: certificates for a server that lives as long as a test run, and for its clients.

Rule 1: every authority has a key and a name of its own, so a certificate of one server is refused by any other.
Rule 2: a certificate is what strict verifiers ask for: names as alternative names (Go reads no common name), key usages
        and key identifiers (RFC 5280, which Python 3.13 enforces), valid since an hour ago, as clocks differ.
Rule 3: a key is never in a file that others may read.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from testinfra.errors import extra

with extra("kubernetes"):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = dt.timedelta(days=30)
_EARLY = dt.timedelta(hours=1)


class Pair(NamedTuple):
    """A certificate (or, for `service_account_pair`, a public key) and its private key, both PEM."""

    cert: bytes
    key: bytes

    def __repr__(self) -> str:
        return "<Pair of PEM data>"

    def save(self, directory: Path, name: str) -> tuple[str, str]:
        """Write `<name>.crt` and `<name>.key` with mode 0600; gives their paths."""
        return str(save(directory / f"{name}.crt", self.cert)), str(save(directory / f"{name}.key", self.key))


class Authority:
    """One authority; `pem` is its certificate, which those who are to trust it get."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        """Take a key and its certificate; see `create`."""
        self._key = key
        self._certificate = certificate
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    @classmethod
    def create(cls) -> Self:
        """Make a new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"testinfra-{secrets.token_hex(4)}")
        unsigned = _started(name, name, key.public_key(), key.public_key())
        unsigned = unsigned.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        unsigned = unsigned.add_extension(_usage(signs_certificates=True), critical=True)
        return cls(key, unsigned.sign(key, hashes.SHA256()))

    def server(self, hosts: Sequence[str]) -> Pair:
        """Issue a certificate for a server that is reached as any of `hosts` (names or IP addresses)."""
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        return self._issue(_name(hosts[0]), ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, user: str, groups: Sequence[str] = ()) -> Pair:
        """Issue a certificate by which an API server knows its holder as `user`, member of `groups`."""
        return self._issue(_name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(self, subject: x509.Name, purpose: x509.ObjectIdentifier, *more: x509.SubjectAlternativeName) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _started(subject, self._certificate.subject, key.public_key(), self._key.public_key())
        unsigned = unsigned.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        unsigned = unsigned.add_extension(_usage(signs_certificates=False), critical=True)
        unsigned = unsigned.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        for extension in more:
            unsigned = unsigned.add_extension(extension, critical=False)
        certificate = unsigned.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _private(key))


def service_account_pair() -> Pair:
    """Make the keys that an API server signs service account tokens with (ES256): `cert` is the public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pair(public, _private(key))


def save(path: Path, content: bytes) -> Path:
    """Write a file that only we can read, from its first byte on; gives its path."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    return path


def _started(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, issuer_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(authority_key, critical=False)
    )


def _name(user: str, groups: Sequence[str] = ()) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
