"""The catalogue of programs: which versions fit, and that its data is whole."""

from __future__ import annotations

import re

import pytest

from testinfra.errors import Misconfigured
from testinfra.servers.binaries.catalogue import numbers, packaged

CATALOGUE = packaged()


@pytest.mark.parametrize(
    ("name", "version", "kubernetes", "fits"),
    [
        ("kube-apiserver", "1.36.3", "1.36", True),
        ("kube-apiserver", "1.36.3", "1.36.3", True),
        ("kube-apiserver", "1.36.3-gke.100", "1.36", True),
        ("kube-apiserver", "1.36.3", "1.36.2", False),
        ("kube-apiserver", "1.35.9", "1.36", False),
        ("kube-apiserver", "1.360.1", "1.36", False),
        ("kube-apiserver", "unknown", "1.36", False),
        ("kubectl", "1.37.0", "1.36", True),
        ("kubectl", "1.35.1", "1.36.3", True),
        ("kubectl", "1.34.1", "1.36", False),
        ("kubectl", "2.36.1", "1.36", False),
        ("etcd", "3.5.21", "1.36", True),
        ("etcd", "3.6.0-rc.1", "1.31", True),
        ("etcd", "3.4.30", "1.36", False),
    ],
)
def test_a_version_fits_by_its_numbers(name: str, version: str, kubernetes: str, fits: bool) -> None:
    """A series, an exact release, one minor version beside, or a list of series."""
    assert CATALOGUE.program(name).fits(version, kubernetes) is fits


@pytest.mark.parametrize(
    ("asked", "meant", "release"),
    [("", "1.36", "1.36.3"), ("1.35", "1.35", "1.35.4"), ("v1.36.2", "1.36.2", "1.36.2"), ("1.3", "1.3", "")],
)
def test_a_series_stands_for_a_release(asked: str, meant: str, release: str) -> None:
    """A release for itself, nothing for the default, and an unknown series for none."""
    assert CATALOGUE.kubernetes(asked) == meant
    assert CATALOGUE.release(meant) == release


@pytest.mark.parametrize("asked", ["latest", "1", "1.36.", "1.36.3; rm", "../1.36"])
def test_what_is_no_version_is_refused(asked: str) -> None:
    """It would end in an address and in the name of a folder."""
    with pytest.raises(Misconfigured, match="is no version of Kubernetes"):
        CATALOGUE.kubernetes(asked)


@pytest.mark.parametrize("name", CATALOGUE.programs)
def test_every_program_can_be_had(name: str) -> None:
    """What its row names is there: builds, downloads that offer it, patterns with one group."""
    found = CATALOGUE.program(name)
    assert found.package.startswith(CATALOGUE.builds[found.build].module)
    for download in (CATALOGUE.downloads[key] for key in found.downloads):
        assert name in download.members or name in download.platforms
    assert re.compile(found.answer).groups == 1
    assert found.series or found.follows_kubernetes
    version = CATALOGUE.builds[found.build].version or CATALOGUE.release(CATALOGUE.default_kubernetes)
    assert found.fits(version, CATALOGUE.default_kubernetes)


def test_every_download_can_be_checked() -> None:
    """By sums for four platforms, or by a file beside it; over TLS."""
    for download in CATALOGUE.downloads.values():
        for address in (download.url, download.index or download.checksum):
            assert address.startswith("https://")
        for sums in download.sha512.values():
            assert sorted(sums) == ["darwin-amd64", "darwin-arm64", "linux-amd64", "linux-arm64"]
            assert all(re.fullmatch("[0-9a-f]{128}", digest) for digest in sums.values())


def test_every_series_has_one_release() -> None:
    """And they stand in order."""
    series = [numbers(release)[:2] for release in CATALOGUE.releases]
    assert series == sorted(set(series))
