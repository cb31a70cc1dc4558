"""Held ports."""

from __future__ import annotations

import socket

import pytest

from testinfra.errors import NotReady
from testinfra.servers.ports import LOOPBACK, Reservation


def test_a_held_port_is_given_to_no_one_who_asks_for_any() -> None:
    """A thousand askers get others."""
    held = Reservation()
    others = []
    for _ in range(1000):
        other = socket.socket()
        other.bind((LOOPBACK, 0))
        others.append(other)
    assert held.port not in {other.getsockname()[1] for other in others}
    for other in others:
        other.close()
    held.close()


def test_a_server_that_reuses_addresses_listens_on_a_held_port() -> None:
    """As Postgres and Redis do."""
    held = Reservation()
    with socket.create_server((LOOPBACK, held.port)) as server, socket.create_connection((LOOPBACK, held.port)):
        accepted, address = server.accept()
        accepted.close()
    assert address[0] == LOOPBACK
    held.close()


def test_a_taken_port_is_told_with_the_option_that_chose_it() -> None:
    """And with the command that shows who has it."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(NotReady, match=f"port {port} .* is taken") as caught:
            Reservation(port, option="--postgres-port")
    assert "--postgres-port" in str(caught.value)
    assert f"ss -ltnp 'sport = :{port}'" in str(caught.value)
