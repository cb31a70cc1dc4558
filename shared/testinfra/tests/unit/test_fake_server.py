"""The fake over TLS: who gets in, and its outages, at the same address and with the same data."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured, NotReady
from testinfra.kubernetes.fake.server import FakeServer
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.servers.ready import wait_until

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    """One that is started; see `endpoint`."""
    made = FakeServer(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def endpoint(server: FakeServer) -> Cluster:
    """Its endpoint, as its administrator."""
    return Cluster(**server.start())


@pytest.fixture
def rest(endpoint: Cluster) -> Iterator[Rest]:
    """A client of it."""
    with Rest(endpoint, timeout=5) as client:
        yield client


def watchers(endpoint: Cluster, count: int) -> list[ssl.SSLSocket]:
    """Open so many watches; gives their sockets, each with the head of its answer read."""
    trusted = ssl.create_default_context(cafile=endpoint.ca_file)
    trusted.load_cert_chain(endpoint.cert_file, endpoint.key_file)
    port = int(endpoint.server.rpartition(":")[2])
    opened = []
    for _ in range(count):
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        secure = trusted.wrap_socket(plain, server_hostname="127.0.0.1")
        secure.sendall(f"GET {CONFIGMAPS}?watch=true HTTP/1.1\r\nHost: it\r\n\r\n".encode())
        assert secure.recv(4096).startswith(b"HTTP/1.1 200 OK")
        opened.append(secure)
    return opened


def make(rest: Rest, name: str) -> dict[str, Any]:
    """Create a config map."""
    return rest.post(CONFIGMAPS, {"metadata": {"name": name}})


def test_it_is_ready_when_it_has_started(endpoint: Cluster, rest: Rest) -> None:
    """The administrator gets in with his certificate; the version is that of the endpoint."""
    assert rest.get("/readyz") == {"message": "ok"}
    assert rest.get("/version")["gitVersion"] == f"v{endpoint.version}"
    assert make(rest, "a")["metadata"]["resourceVersion"]


def test_its_files_are_for_us_alone(endpoint: Cluster) -> None:
    """Keys, kubeconfig and audit log."""
    for path in (endpoint.key_file, endpoint.kubeconfig, endpoint.audit_log):
        assert Path(path).stat().st_mode & 0o077 == 0, path


def test_nobody_is_anonymous_and_may_ask_for_health(endpoint: Cluster) -> None:
    """Without certificate and token."""
    nobody = Cluster(server=endpoint.server, kubeconfig="", ca_file=endpoint.ca_file)
    with Rest(nobody, timeout=5) as rest:
        assert rest.get("/healthz") == {"message": "ok"}
        with pytest.raises(ApiError) as caught:
            rest.get(CONFIGMAPS)
    assert caught.value.status == 403
    assert "system:anonymous" in caught.value.message


def test_the_certificate_of_another_server_is_refused(endpoint: Cluster, tmp_path: Path) -> None:
    """Each has an authority of its own."""
    (tmp_path / "other").mkdir()
    other = FakeServer(tmp_path / "other")
    theirs = other.start()
    stranger = Cluster(
        server=endpoint.server,
        kubeconfig="",
        ca_file=endpoint.ca_file,
        cert_file=theirs["cert_file"],
        key_file=theirs["key_file"],
    )
    with Rest(stranger, timeout=5) as rest, pytest.raises(urllib3.exceptions.HTTPError):
        rest.get(CONFIGMAPS)
    other.stop()


def test_the_audit_log_has_both_stages_of_each_request(endpoint: Cluster, rest: Rest) -> None:
    """In the file by the time the answer is read."""
    make(rest, "a")
    lines = [json.loads(line) for line in Path(endpoint.audit_log).read_text().splitlines()]
    assert [(line["stage"], line["verb"]) for line in lines] == [
        ("RequestReceived", "create"),
        ("ResponseComplete", "create"),
    ]
    done = lines[1]
    assert done["auditID"] == lines[0]["auditID"]
    assert done["objectRef"] == {"resource": "configmaps", "namespace": "default", "name": "a", "apiVersion": "v1"}
    assert done["responseStatus"]["code"] == 201
    assert done["user"]["groups"] == ["system:masters", "system:authenticated"]
    assert done["requestURI"] == CONFIGMAPS


def test_a_fixed_port_is_taken(tmp_path: Path) -> None:
    """And one that is taken is told."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(NotReady, match=f"port {port}"):
            FakeServer(tmp_path, port=port).start()
    server = FakeServer(tmp_path, port=port)
    assert server.start()["server"].endswith(f":{port}")
    server.stop()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_outage_refuses_connections_and_keeps_everything(
    server: FakeServer, endpoint: Cluster, rest: Rest, how: str
) -> None:
    """After it: the same address, the same objects, and a watch resumes where it was."""
    version = make(rest, "a")["metadata"]["resourceVersion"]
    make(rest, "b")
    server.fault(how)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(endpoint.server.rpartition(":")[2])), timeout=1)
    with pytest.raises(urllib3.exceptions.HTTPError):
        rest.get(CONFIGMAPS)
    server.heal()
    assert [one["metadata"]["name"] for one in rest.get(CONFIGMAPS)["items"]] == ["a", "b"]
    told = next(rest.watch(CONFIGMAPS, within=5, resourceVersion=version))
    assert (told["type"], told["object"]["metadata"]["name"]) == ("ADDED", "b")


def test_a_pause_answers_nobody_until_it_is_over(server: FakeServer, rest: Rest) -> None:
    """Who waited is answered then: nothing is lost."""
    make(rest, "a")
    server.fault("pause")
    found: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: found.append(rest.get(CONFIGMAPS)))
    asking.start()
    asking.join(0.3)
    assert asking.is_alive()
    assert found == []
    server.heal()
    asking.join(5)
    assert len(found[0]["items"]) == 1


def test_twenty_outages_in_a_row(server: FakeServer, rest: Rest) -> None:
    """Each seen and healed."""
    for number in range(20):
        server.fault("stop")
        with pytest.raises(urllib3.exceptions.HTTPError):
            rest.get("/readyz")
        server.heal()
        make(rest, f"c{number}")
    assert len(rest.get(CONFIGMAPS)["items"]) == 20


def test_an_answer_is_sent_at_once(server: FakeServer, rest: Rest) -> None:
    """The kernel holds no part of it back until another is acknowledged (TCP_NODELAY)."""
    rest.get("/readyz")

    def held_back() -> list[int]:
        sockets = [each._transport.get_extra_info("socket") for each in server._connections if each._transport]
        return [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets]

    assert server.within(held_back) == [1]


def test_a_server_that_is_down_is_not_broken_again(server: FakeServer, endpoint: Cluster) -> None:
    """And a fault that there is not is refused."""
    with pytest.raises(Misconfigured, match="one of stop, kill, pause"):
        server.fault("burn")
    server.fault("stop")
    with pytest.raises(Misconfigured, match="heal it first"):
        server.fault("pause")
    server.heal()


def test_a_stop_in_order_ends_streams_in_order(server: FakeServer, endpoint: Cluster) -> None:
    """The client reads the last chunk, then the end; a kill leaves the answer unfinished."""
    for how, end in (("stop", b"0\r\n\r\n"), ("kill", b"")):
        (stream,) = watchers(endpoint, 1)
        server.fault(how)
        try:
            said = stream.recv(4096)
        except OSError:  # reset
            said = b""
        assert said == end
        stream.close()
        server.heal()


def test_a_hundred_watches_do_not_hold_up_the_end(server: FakeServer, endpoint: Cluster) -> None:
    """It is over within 3 s, whether the clients notice or not."""
    streams = watchers(endpoint, 100)
    wait_until(lambda: server.within(lambda: len(server.world.watchers)) == 100, what="all watch", timeout=5)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 3
    for stream in streams:
        stream.close()


def test_a_client_that_goes_takes_its_watch_along(server: FakeServer, endpoint: Cluster) -> None:
    """Nothing is left of it."""
    for stream in watchers(endpoint, 10):
        stream.close()
    wait_until(lambda: server.within(lambda: len(server.world.watchers)) == 0, what="no watch is left", timeout=5)
