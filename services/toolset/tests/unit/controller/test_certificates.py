"""Certificates: what is good, and what a new one keeps of an old one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from toolset.controller.certificates import AUTHORITY_LIFETIME, LIFETIME, Certificate, good, make

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HOSTS = ("toolset-controller.kubernaut-system.svc", "localhost", "127.0.0.1")


def test_a_new_one_is_good_for_its_hosts() -> None:
    """It names them all, addresses as addresses; its authority signed it."""
    files = make(HOSTS, NOW)
    leaf, authority = (x509.load_pem_x509_certificate(files[name]) for name in ("tls.crt", "ca.crt"))
    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [each.value if isinstance(each, x509.DNSName) else str(each.value) for each in names] == list(HOSTS)
    assert good(files, HOSTS, NOW)


@pytest.mark.parametrize(
    ("hosts", "later", "expected"),
    [
        (HOSTS, timedelta(days=59), True),
        (HOSTS, timedelta(days=61), False),
        (HOSTS, timedelta(days=100), False),
        (HOSTS[:1], timedelta(), True),
        ((*HOSTS, "another"), timedelta(), False),
    ],
    ids=["two thirds", "a third left", "over", "fewer hosts", "another host"],
)
def test_when_one_has_to_be_renewed(hosts: tuple[str, ...], later: timedelta, expected: bool) -> None:
    """When a third of its time is left, and when it is for other hosts."""
    assert good(make(HOSTS, NOW), hosts, NOW + later) is expected


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "tls.crt", "tls.key"])
@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_what_cannot_be_read_is_not_good(name: str, content: bytes | None) -> None:
    """Each of the files, missing or spoilt."""
    files = {key: value for key, value in make(HOSTS, NOW).items() if key != name or content is not None}
    if content is not None:
        files[name] = content
    assert not good(files, HOSTS, NOW)
    assert good(make(HOSTS, NOW, files), HOSTS, NOW)


def test_a_key_of_another_authority_is_not_good() -> None:
    """Nothing that it signs would be trusted."""
    files = make(HOSTS, NOW) | {"ca.key": make(HOSTS, NOW)["ca.key"]}
    assert not good(files, HOSTS, NOW)


def test_a_renewed_one_has_the_same_authority() -> None:
    """So the API server need not be told."""
    old = make(HOSTS, NOW)
    new = make(HOSTS, NOW + timedelta(days=61), old)
    assert (new["ca.crt"], new["ca.key"]) == (old["ca.crt"], old["ca.key"])
    assert new["tls.crt"] != old["tls.crt"]


def test_an_authority_that_ends_is_trusted_beside_the_new_one() -> None:
    """As long as it lasts: another replica may show for a while what it signed."""
    old = make(HOSTS, NOW)
    new = make(HOSTS, NOW + AUTHORITY_LIFETIME - LIFETIME / 2, old)
    assert new["ca.crt"].endswith(old["ca.crt"])
    assert new["ca.crt"] != old["ca.crt"]
    later = make(HOSTS, NOW + AUTHORITY_LIFETIME + LIFETIME, old)
    assert len(x509.load_pem_x509_certificates(later["ca.crt"])) == 1


def test_a_repr_shows_no_key() -> None:
    """Only until when it is good."""
    files = make(HOSTS, NOW)
    made = Certificate(files["tls.crt"], files["tls.key"], files["ca.crt"])
    assert repr(made) == "<Certificate until 2027-02-19>"
