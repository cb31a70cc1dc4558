"""Networks as they are: slow, silent, behind a proxy, with a certificate of the company's own."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from shared.testinfra.tests.kubernetes.binaries import releases
from shared.testinfra.tests.kubernetes.binaries.fileserver import Fault, FileServer, ForwardProxy, running, sha512
from testinfra.errors import NotAvailable
from testinfra.servers.binaries import Lines, Sources, locate
from testinfra.servers.binaries.download import DownloadFailed, Fetcher

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def big(server: FileServer) -> str:
    """The address of a file of 256 kB."""
    server.files["/big"] = CONTENT
    return f"{server.url}/big"


def fetcher(*, connect: float = 1.0, read: float = 5.0, whole: float = 60.0, attempts: int = 3) -> Fetcher:
    """One that is quick to give up."""
    quiet = Lines(lambda _line: None)
    return Fetcher((), quiet, connect=connect, read=read, whole=whole, attempts=attempts, pause=0.01)


def test_a_redirect_is_followed(server: FileServer, big: str, tmp_path: Path, bare_machine: Path) -> None:
    """As GitHub answers for every archive; a cut part is asked for at the first address again."""
    with running(other := FileServer({"/elsewhere": CONTENT})):
        server.faults += [Fault(redirect=f"{other.url}/elsewhere") for _ in range(2)]
        other.faults.append(Fault(cut=1000))
        fetcher().file(big, tmp_path / "part", sha512(CONTENT), "big")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert other.asked("/elsewhere") == ["", "bytes=1000-"]


def test_a_redirect_to_a_host_that_cannot_be_reached_names_that_host(
    server: FileServer, big: str, bare_machine: Path
) -> None:
    """A firewall may let one of the two through."""
    server.faults.append(Fault(redirect="http://assets.invalid/big"))
    with pytest.raises(DownloadFailed, match=rf"^{big}: assets\.invalid cannot be reached"):
        fetcher().text(big)


@pytest.fixture
def silent_host() -> Iterator[str]:
    """The address of a host that takes no connection and refuses none: its queue of them is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for connection in waiting:
            connection.close()


@pytest.mark.parametrize(
    ("status", "times", "said"),
    [
        (404, 1, "404 Not Found: it does not have the file"),
        (401, 1, "401 Unauthorized: it wants a login"),
        (403, 1, "403 Forbidden: it refuses us"),
        (500, 3, "500 Internal Server Error"),
        (429, 3, "429 Too Many Requests"),
    ],
)
def test_only_a_refusal_that_may_pass_is_asked_again(
    server: FileServer, big: str, bare_machine: Path, status: int, times: int, said: str
) -> None:
    """A server's own trouble may pass; a missing file or login does not."""
    server.faults += [Fault(status=status) for _ in range(3)]
    with pytest.raises(DownloadFailed, match=said):
        fetcher().text(big)
    assert len(server.requests) == times


def test_trouble_that_passes_is_not_told(server: FileServer, big: str, tmp_path: Path, bare_machine: Path) -> None:
    """Two answers 503, then the file."""
    server.faults += [Fault(status=503), Fault(status=503)]
    fetcher().file(big, tmp_path / "part", sha512(CONTENT), "big")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_server_that_falls_silent_is_asked_for_the_rest(
    server: FileServer, big: str, tmp_path: Path, bare_machine: Path
) -> None:
    """After the time limit between two pieces, on a new connection."""
    server.faults += [Fault(path="/big", stall=100_000)]
    part = tmp_path / "part"
    fetcher(read=0.3).file(big, part, sha512(CONTENT), "big")
    assert part.read_bytes() == CONTENT
    assert server.asked("/big") == ["", "bytes=100000-"]


def test_a_server_that_stays_silent_ends_the_download(
    server: FileServer, big: str, tmp_path: Path, bare_machine: Path
) -> None:
    """After the attempts there are; what came is kept for the next run."""
    server.faults += [Fault(path="/big", stall=1000) for _ in range(2)]
    with pytest.raises(DownloadFailed, match="ReadTimeout"):
        fetcher(read=0.2, attempts=2).file(big, tmp_path / "part", sha512(CONTENT), "big")
    assert (tmp_path / "part").read_bytes() == CONTENT[:2000]


def test_a_download_that_takes_too_long_ends_and_is_kept(big: str, tmp_path: Path, bare_machine: Path) -> None:
    """A trickle never trips a limit between pieces, so there is one for the whole."""
    with pytest.raises(DownloadFailed, match=r"not done after 0 s; .* are kept"):
        fetcher(whole=0).file(big, tmp_path / "part", sha512(CONTENT), "big")
    assert 0 < (tmp_path / "part").stat().st_size < len(CONTENT)


def test_a_host_that_does_not_answer_is_given_up_soon_and_for_good(silent_host: str, bare_machine: Path) -> None:
    """The second file of it costs nothing."""
    impatient = fetcher(connect=1.0)
    begun = time.monotonic()
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        impatient.text(f"{silent_host}/a")
    assert 1.0 <= time.monotonic() - begun < 5
    begun = time.monotonic()
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        impatient.text(f"{silent_host}/b")
    assert time.monotonic() - begun < 1.0


def test_a_name_with_many_silent_addresses_is_given_up_as_soon(
    silent_host: str, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is not waited for."""
    address = ("127.0.0.1", int(silent_host.rpartition(":")[2]))
    found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)] * 20
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: found)
    begun = time.monotonic()
    with pytest.raises(DownloadFailed, match=r"many\.invalid cannot be reached: no connection within 0\.6 s"):
        fetcher(connect=0.3).text("http://many.invalid/file")
    assert time.monotonic() - begun < 3


def test_a_name_that_nobody_knows_is_told(bare_machine: Path) -> None:
    """Within twice the time limit of a connection, whatever the system's resolver would take."""
    begun = time.monotonic()
    with pytest.raises(DownloadFailed, match=r"nowhere\.invalid cannot be reached: "):
        fetcher(connect=1).text("https://nowhere.invalid/file")
    assert time.monotonic() - begun < 5


def test_a_proxy_is_used_and_is_who_looks_names_up(
    server: FileServer, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine itself need not know the mirror's name."""
    proxy = ForwardProxy(("127.0.0.1", server.server_port))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with running(proxy):
        assert locate("etcd", dataclasses.replace(sources, mirrors=["http://mirror.invalid"])).version == "3.6.8"
    assert proxy.passed == ["GET mirror.invalid", "GET mirror.invalid"]


def test_a_host_in_no_proxy_is_asked_directly(
    server: FileServer, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the proxy that is set does not exist."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert locate("etcd", sources).version == "3.6.8"


def test_proxy_settings_that_mean_nothing_are_told(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the reason of the download."""
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy")
    with pytest.raises(NotAvailable, match="the proxy settings or SSL_CERT_FILE cannot be used"):
        locate("etcd", sources)


def test_tls_goes_through_the_proxy_and_is_checked(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that is not known ends the download with what to set; SSL_CERT_FILE makes it known."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mirror.invalid").configure_cert(context)
    secure = FileServer(releases.release("1.35.2"))
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    proxy = ForwardProxy(("127.0.0.1", secure.server_port))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    through = dataclasses.replace(sources, mirrors=["https://mirror.invalid"])
    with running(secure), running(proxy):
        with pytest.raises(NotAvailable, match="SSL_CERT_FILE=<file> names further authorities"):
            locate("etcd", through)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert locate("etcd", through).version == "3.6.8"
    assert set(proxy.passed) == {"CONNECT mirror.invalid:443"}
