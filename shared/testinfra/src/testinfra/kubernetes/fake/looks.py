"""How an answer looks: whole objects, a table of them (what kubectl prints), or their metadata alone."""

from __future__ import annotations

from dataclasses import dataclass

from testinfra.kubernetes.fake import conversion, tables
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.negotiation import Accept
from testinfra.kubernetes.fake.reading import Listed
from testinfra.kubernetes.fake.store import Object, Stored, encode
from testinfra.kubernetes.fake.world import World


@dataclass(frozen=True)
class Look:
    """The look of one request's answer."""

    world: World
    kind: Kind
    form: str
    """"" for whole objects, `table`, `partial`."""
    include: str
    """What a table's rows hold: `None`, `Metadata` or `Object`."""
    version: str
    """Of meta.k8s.io, in which tables and metadata are shown."""

    @property
    def key(self) -> str:
        """Tell looks apart: equal keys, equal bytes."""
        return f"{self.form}/{self.include}/{self.version}/{self.kind.api_version}"

    def one(self, stored: Stored, first: bool = True) -> bytes:  # noqa: FBT001, FBT002 - `watch.Render` is called by place
        """Give an object; `first` tells the first event of a stream (later tables leave out what their columns are)."""
        if self.form == "table":
            shown = self.world.shown(self.kind, stored.content)
            table = tables.table(self.kind, [shown], include_object=self.include, columns=first)
            return encode(table | {"apiVersion": self._meta})
        if self.form == "partial":
            return encode(self._partial(stored))
        return self.world.show(self.kind, stored)

    def many(self, listed: Listed) -> bytes:
        """Give a list."""
        metadata = listed.metadata(self.kind)
        if self.form == "table":
            shown = [self.world.shown(self.kind, stored.content) for stored in listed.items]
            table = tables.table(self.kind, shown, list_metadata=metadata, include_object=self.include)
            return encode(table | {"apiVersion": self._meta})
        if self.form == "partial":
            head = {"kind": "PartialObjectMetadataList", "apiVersion": self._meta, "metadata": metadata}
            items = b",".join(encode(self._partial(stored)) for stored in listed.items)
        else:
            head = {"kind": self.kind.list_kind, "apiVersion": self.kind.api_version, "metadata": metadata}
            items = b",".join(self._item(stored) for stored in listed.items)
        return b'%b,"items":[%b]}' % (encode(head)[:-1], items)

    @property
    def _meta(self) -> str:
        return f"meta.k8s.io/{self.version}"

    def _partial(self, stored: Stored) -> Object:
        return {"kind": "PartialObjectMetadata", "apiVersion": self._meta, "metadata": stored.content["metadata"]}

    def _item(self, stored: Stored) -> bytes:
        """Give an object in a list; one of a built-in kind is without its type, which the list tells."""
        if self.kind.crd:
            return self.world.show(self.kind, stored)
        if conversion.differs(self.kind):
            return encode(conversion.from_stored(self.kind, stored.content))
        return stored.encoded


def look(world: World, kind: Kind, accept: Accept, include: str) -> Look:
    """Give the look that was agreed on; `include` is the query's `includeObject`."""
    if accept.shape == "Table":
        return Look(world, kind, "table", include or "Metadata", accept.version)
    return Look(world, kind, "partial" if accept.shape else "", "", accept.version)
