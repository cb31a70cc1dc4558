"""Fetching a file over HTTP: whole, checked, and in as many parts as the network makes of it.

Rule 1: what came so far stays in a part file, and the next attempt, also that of a later process, asks for the rest.
        A file counts when its SHA-512 is the one that was told; one that has another is removed.
Rule 2: a machine without a network is to know it soon: a host is tried once before all else, and given up when its name
        and all its addresses take longer than twice `connect` seconds. Cut and slow answers, and a server's 5xx, 429
        and 408, are asked for again.
Rule 3: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE are respected. No message shows a password.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import tenacity

from testinfra.errors import Misconfigured
from testinfra.servers.binaries.progress import Reporter, megabytes

_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_HINTS = {
    HTTPStatus.UNAUTHORIZED: "it wants a login, which may stand in the mirror's address: https://user:password@host/",
    HTTPStatus.FORBIDDEN: "it refuses us; a proxy or mirror may want a login, or not offer the file",
    HTTPStatus.NOT_FOUND: "it does not have the file",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "the proxy wants a login: HTTPS_PROXY=http://user:password@host:port",
}


class DownloadFailed(Exception):  # noqa: N818 - a reason to try the next source
    """A file that cannot be had; the text says from where and why."""


class _Interrupted(DownloadFailed):
    """One that may be had on another attempt."""


class Fetcher:
    """Fetches files; remembers hosts that cannot be reached."""

    def __init__(
        self,
        mirrors: Sequence[str],
        reporter: Reporter,
        *,
        connect: float = 3.0,
        read: float = 30.0,
        whole: float = 1800.0,
        attempts: int = 4,
        pause: float = 0.5,
    ) -> None:
        """Take `mirrors` (see `mirrored`); `connect`, `read` (between two pieces) and `whole` (a file) are seconds."""
        self._mirrors = mirrors
        self._reporter = reporter
        self._connect = connect
        self._timeout = httpx.Timeout(read, connect=connect)
        self._whole = whole
        self._unreachable: dict[str, str] = {}
        """Host and port -> why; "" for one that can be reached."""
        self._retry = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_exponential(multiplier=pause, max=10),
            retry=tenacity.retry_if_exception_type(_Interrupted),
            reraise=True,
        )

    def text(self, address: str) -> str:
        """Give a small text file; raises `DownloadFailed`."""
        url = mirrored(address, self._mirrors)

        def attempt() -> str:
            with self._answer(url, {}) as response:
                return response.read().decode(errors="replace")

        return self._retry(attempt)

    def file(self, address: str, part: Path, sha512: str, what: str) -> None:
        """Make `part` the whole file, going on from what it has already; raises `DownloadFailed`, or OSError."""
        url = mirrored(address, self._mirrors)
        deadline = time.monotonic() + self._whole

        def attempt() -> None:
            start = part.stat().st_size if part.exists() else 0
            with self._answer(url, {"Range": f"bytes={start}-"} if start else {}) as response:
                if response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # else all of it may be there
                    self._receive(response, part, start, what, deadline)
            with part.open("rb") as file:
                found = hashlib.file_digest(file, "sha512").hexdigest()
            if found != sha512.lower():
                part.unlink()
                text = f"{_shown(url)}: its SHA-512 is {found[:16]}..., and {sha512[:16]}... was expected"
                raise _Interrupted(text) if start else DownloadFailed(text)

        try:
            self._retry(attempt)
        except OSError:
            part.unlink(missing_ok=True)  # it may be what fills the disk
            raise

    def _receive(self, response: httpx.Response, part: Path, start: int, what: str, deadline: float) -> None:
        resumed = response.status_code == HTTPStatus.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.unlink()
            raise _Interrupted(f"{_shown(response.url)}: the server gave another part than was asked for")
        done = start if resumed else 0
        total = done + int(response.headers.get("Content-Length", 0))
        begun = f", of which {megabytes(done)} are here" if resumed else ""
        self._reporter.say(f"downloading {what} from {response.url.host}: {megabytes(total)}{begun}")
        with part.open("ab" if resumed else "wb") as file:
            for piece in response.iter_raw():
                file.write(piece)
                done += len(piece)
                self._reporter.progress(what, done, total)
                if time.monotonic() > deadline:
                    text = f"not done after {self._whole:.0f} s; {megabytes(done)} are kept and the next run goes on"
                    raise DownloadFailed(f"{_shown(response.url)}: {text}")

    @contextmanager
    def _answer(self, url: httpx.URL, headers: dict[str, str]) -> Iterator[httpx.Response]:
        place = url.netloc.decode()
        if self._unreachable.get(place):
            raise DownloadFailed(f"{_shown(url)}: {self._unreachable[place]}")
        try:
            if place not in self._unreachable and not _through_proxy(url):
                self._reach(url)
                self._unreachable[place] = ""
            plain = {"Accept-Encoding": "identity", **headers}
            with _client(self._timeout) as client, client.stream("GET", url, headers=plain) as response:
                self._check(response, url)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as exc:
            who = exc.request.url.host  # of a redirect's target, it may be
            self._unreachable[place] = f"{who} cannot be reached: {str(exc) or type(exc).__name__}{_advice(str(exc))}"
            raise DownloadFailed(f"{_shown(url)}: {self._unreachable[place]}") from exc
        except httpx.HTTPError as exc:
            raise _Interrupted(f"{_shown(url)}: {type(exc).__name__}: {exc}") from exc

    def _check(self, response: httpx.Response, url: httpx.URL) -> None:
        status = response.status_code
        if response.is_success or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return
        hint = f": {_HINTS[HTTPStatus(status)]}" if status in _HINTS else ""
        kind = _Interrupted if response.is_server_error or status in _AGAIN else DownloadFailed
        raise kind(f"{_shown(url)}: the server answers {status} {response.reason_phrase}{hint}")

    def _reach(self, url: httpx.URL) -> None:
        """Connect once: a silent resolver costs half a minute, and so do four addresses that drop what they get."""
        outcome: list[str] = []
        port = url.port or (443 if url.scheme == "https" else 80)

        def connect() -> None:
            try:
                socket.create_connection((url.host, port), timeout=self._connect).close()
                outcome.append("")
            except OSError as exc:
                outcome.append(str(exc))

        thread = threading.Thread(target=connect, daemon=True, name=f"reach-{url.host}")
        thread.start()
        thread.join(2 * self._connect)
        problem = outcome[0] if outcome else f"no connection within {2 * self._connect:g} s"
        if problem:
            raise httpx.ConnectError(problem, request=httpx.Request("GET", url))


def _client(timeout: httpx.Timeout) -> httpx.Client:
    try:
        context = httpx.create_ssl_context()
        context.load_default_certs()  # the system's authorities as well: a company's proxy is known there
        return httpx.Client(timeout=timeout, verify=context, follow_redirects=True)
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as exc:
        text = f"the proxy settings or SSL_CERT_FILE cannot be used: {type(exc).__name__}: {exc}"
        raise DownloadFailed(text) from exc


def _through_proxy(url: httpx.URL) -> bool:
    proxies = urllib.request.getproxies()
    return bool(proxies.get(url.scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(url.host)


def _advice(text: str) -> str:
    return " (SSL_CERT_FILE=<file> names further authorities)" if "CERTIFICATE_VERIFY_FAILED" in text else ""


def mirrored(address: str, mirrors: Sequence[str]) -> httpx.URL:
    """Give the address to ask: a mirror's base takes the place of scheme and host, the path stays.

    A mirror is `URL`, for every host, or `HOST=URL`, for one; those that name the host win. Raises `Misconfigured`.
    """
    url = httpx.URL(address)
    chosen = ""
    for mirror in mirrors:
        host, separator, base = mirror.partition("=")
        if not separator or "/" in host:
            host, base = "", mirror
        if not base.startswith(("http://", "https://")):
            raise Misconfigured(
                f"{mirror!r} is no mirror", next_step="https://mirror.example/path, or HOST=https://..."
            )
        if host == url.host or (not host and not chosen):
            chosen = base
    return httpx.URL(chosen.rstrip("/") + url.raw_path.decode()) if chosen else url


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(username=None, password=None) if url.userinfo else url)
