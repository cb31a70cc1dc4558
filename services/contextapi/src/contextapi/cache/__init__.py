"""Answers kept for a while, in Redis and in this process; one query for all who ask the same; old copies in need."""

from contextapi.cache.answers import Answer, Answers
from contextapi.cache.options import CacheOptions

__all__ = ["Answer", "Answers", "CacheOptions"]
