"""Semantic search: the question, and the statement that answers it.

Rule 1: the search orders by the index's own expression, so that HNSW serves it; a threshold only cuts off the end of
        what is already in order, outside of LIMIT. A filter on the namespace is applied while the index is scanned
        (`hnsw.iterative_scan`), so it does not thin out the answer; where a namespace is rare, the planner reads its
        rows by their own index and sorts them, which is exact.
Rule 2: rows without a vector are left out.
"""

from __future__ import annotations

from typing import Any, Self

from psycopg import sql
from pydantic import ConfigDict, model_validator
from pydantic.config import JsonDict

from servicekit.embedding import Embedder, Vector, literal
from servicekit.errors import NoEmbedderError
from servicekit.fields import Embedding, Name, Strict, Text

_SEARCH = sql.SQL(
    "SELECT * FROM (SELECT {read}, 1 - (embedding <=> %(vector)s::vector) AS similarity FROM {table}"
    " WHERE {where} ORDER BY embedding <=> %(vector)s::vector LIMIT %(limit)s) AS nearest"
    " WHERE similarity >= %(threshold)s ORDER BY similarity DESC, id"
)
_LEAST_SIMILARITY = -1.0
_ONE_OF_BOTH: JsonDict = {
    "oneOf": [
        {"required": ["query"], "properties": {"query": {"type": "string"}}},
        {"required": ["embedding"], "properties": {"embedding": {"type": "array"}}},
    ]
}


class TextOrVector(Strict):
    """What to look for: a text or a vector, in one namespace or in all."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF_BOTH)

    query: Text | None = None
    embedding: Embedding | None = None
    namespace: Name | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.query is None) == (self.embedding is None):
            raise ValueError("give one of query and embedding")
        return self

    async def vector(self, embedder: Embedder | None) -> Vector:
        """Return the vector to look for; raise NoEmbedderError where a text is given and there is no embedder."""
        if self.embedding is not None:
            return self.embedding
        if embedder is None:
            raise NoEmbedderError
        return await embedder.embed(self.query or "")


def nearest(
    table: str,
    read: sql.Composed,
    vector: Vector,
    *,
    limit: int,
    threshold: float | None = None,
    namespace: str | None = None,
) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the statement and its parameters that find the `limit` rows of `table` most alike by cosine similarity.

    They come best first, down to `threshold`, with `similarity` beside what `read` reads.
    """
    conditions = [sql.SQL("embedding IS NOT NULL")]
    parameters: dict[str, Any] = {"vector": literal(vector), "limit": limit}
    parameters["threshold"] = _LEAST_SIMILARITY if threshold is None else threshold
    if namespace is not None:
        conditions.append(sql.SQL("namespace = %(namespace)s"))
        parameters["namespace"] = namespace
    where = sql.SQL(" AND ").join(conditions)
    return _SEARCH.format(table=sql.Identifier(table), read=read, where=where), parameters
