"""One id per request."""

from __future__ import annotations

import re

import httpx
import pytest


@pytest.mark.parametrize("sent", ["a", "Request-1.2_3", "x" * 128])
def test_a_sane_id_is_kept(client: httpx.Client, sent: str) -> None:
    """Up to 128 letters, digits, dots, underscores and hyphens."""
    assert client.get("/livez", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, 'a"b', "a\tb", "ü"])
def test_any_other_id_is_replaced(client: httpx.Client, sent: str) -> None:
    """It goes into logs and headers, so nothing else gets through."""
    answer = client.get("/livez", headers=[(b"X-Request-ID", sent.encode())])
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_each_request_has_its_own(client: httpx.Client) -> None:
    """Two requests of one connection do not share an id."""
    assert len({client.get("/livez").headers["X-Request-ID"] for _ in range(5)}) == 5
