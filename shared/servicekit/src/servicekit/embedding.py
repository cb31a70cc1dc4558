"""Vectors of text: what an Embedder is, and the local, deterministic one.

Rule 1: a vector has exactly 384 numbers, as all-MiniLM-L6-v2 makes them, and a length at which pgvector can compute
        the cosine: it sums squares in single precision, so vectors far too long or short have no similarity at all.
Rule 2: numbers are single precision here too, so that what the cache or the table gives back is what went in.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

DIMENSIONS = 384
_SHORTEST, _LONGEST = 1e-12, 1e18
_FORMAT = struct.Struct(f"<{DIMENSIONS}f")
_LITERAL = f"[{','.join(['%.9g'] * DIMENSIONS)}]"
_WORD = re.compile(r"\w+")
_GRAM = 3
_GRAM_WEIGHT = 0.5

Vector = tuple[float, ...]
"""384 numbers of single precision."""


class Embedder(Protocol):
    """Makes a vector of a text, such that alike texts have a high cosine similarity."""

    @property
    def name(self) -> str:
        """What tells its vectors from another embedder's; part of the cache's key."""

    async def embed(self, text: str) -> Vector:
        """Return the vector of `text`; may raise anything where its model is out of reach."""


def checked(numbers: Sequence[float]) -> Vector:
    """Return the numbers as a vector; raise ValueError with a sentence where they cannot be one."""
    if len(numbers) != DIMENSIONS:
        raise ValueError(f"expected {DIMENSIONS} dimensions, got {len(numbers)}")
    vector = _single(numbers)
    length = math.hypot(*vector)
    if _SHORTEST <= length <= _LONGEST:
        return vector
    if not all(map(math.isfinite, numbers)):
        raise ValueError("every number has to be finite")
    if not any(numbers):
        raise ValueError("all numbers are zero, and a vector without a direction is like nothing")
    raise ValueError(f"its length is {length:g}, and has to be between {_SHORTEST:g} and {_LONGEST:g}")


def packed(vector: Vector) -> bytes:
    """Return the vector as 1536 bytes, little-endian."""
    return _FORMAT.pack(*vector)


def unpacked(data: bytes) -> Vector:
    """Return the vector that `packed` made; raise ValueError where these bytes are none."""
    if len(data) != _FORMAT.size:
        raise ValueError(f"a packed vector has {_FORMAT.size} bytes, these are {len(data)}")
    return checked(_FORMAT.unpack(data))


def literal(vector: Vector) -> str:
    """Return the vector as pgvector reads it; nine digits carry a single-precision number whole."""
    return _LITERAL % vector


def _single(numbers: Iterable[float]) -> Vector:
    return tuple(array("f", numbers))


class HashingEmbedder:
    """Words and their letter trigrams, each hashed to one dimension and a sign; unit length.

    Texts that share words are alike, and so, less, are texts whose words share trigrams (`restart`, `restarted`).
    """

    name = "hashing-1"

    async def embed(self, text: str) -> Vector:
        """Return the vector of `text`, the same on every machine."""
        weights = [0.0] * DIMENSIONS
        for feature, count in Counter(self._features(text)).items():
            number = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
            weight = math.sqrt(count) * (1.0 if feature.startswith("w") else _GRAM_WEIGHT)
            weights[number % DIMENSIONS] += weight if number >> 63 else -weight
        length = math.hypot(*weights)
        if length == 0:  # no word in it, or everything cancelled out: a direction of its own, still the same each time
            weights[int.from_bytes(hashlib.blake2b(text.encode()).digest(), "little") % DIMENSIONS] = length = 1.0
        return checked(_single(weight / length for weight in weights))

    def _features(self, text: str) -> Iterable[str]:
        for word in _WORD.findall(text.lower()):
            yield f"w{word}"
            padded = f" {word} "
            for start in range(len(padded) - _GRAM + 1):
                yield f"g{padded[start : start + _GRAM]}"
