"""One request on a resource, and its answer, between HTTP and the verbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testinfra.kubernetes.fake import bodies, conversion
from testinfra.kubernetes.fake.auth import User
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.status_errors import not_found
from testinfra.kubernetes.fake.store import Object, Resource, Stored
from testinfra.kubernetes.fake.world import World
from testinfra.kubernetes.paths import Target


@dataclass(kw_only=True)
class Call:
    """What a verb needs of a request."""

    world: World
    kind: Kind
    target: Target
    query: Mapping[str, str]
    body: bytes = b""
    content_type: str = bodies.JSON
    user: User
    warnings: list[str] = field(default_factory=list)
    """What is told in Warning headers."""

    @property
    def resource(self) -> Resource:
        """What the kind's objects are stored under."""
        return conversion.stored_as(self.kind)

    @property
    def namespace(self) -> str:
        """The namespace of the object, "" for one that is in none."""
        return self.target.namespace if self.kind.namespaced else ""

    @property
    def scope(self) -> str | None:
        """The namespace of a list or watch; None for all."""
        return self.namespace or None if self.kind.namespaced else ""

    def found(self) -> Stored:
        """Give the object that is named. Raises `Refused` (404)."""
        stored = self.world.store.find(self.resource, self.namespace, self.target.name)
        if stored is None:
            raise not_found(self.kind, self.target.name)
        return stored

    def warn(self, warnings: list[str]) -> None:
        """Tell these as well, each once."""
        self.warnings += [text for text in dict.fromkeys(warnings) if text not in self.warnings]


@dataclass(frozen=True)
class Answer:
    """One object: one that is (or was, or would be) stored, or a document of another kind (a Status, a Scale)."""

    stored: Stored | None = None
    document: Object | None = None
    code: int = 200


def unstored(content: Mapping[str, Any]) -> Stored:
    """Wrap content that is shown and not stored."""
    return Stored(dict(content), 0)
