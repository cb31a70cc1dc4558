"""Get, list and watch.

Rule 1: a list is of one moment: its pages show the version that the first one named, or are refused with 410.
Rule 2: a watch without a version begins with what is there; with one it tells all that happened since, or 410.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

from testinfra.kubernetes.fake import deleting, selectors
from testinfra.kubernetes.fake.call import Answer, Call
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.queries import ListOptions, list_options
from testinfra.kubernetes.fake.selectors import Test
from testinfra.kubernetes.fake.status_errors import GONE, Refused, bad_request, from_the_future, refused, too_old
from testinfra.kubernetes.fake.store import Forgotten, Stored
from testinfra.kubernetes.fake.watch import Render, Wanted, Watch, bookmark, error, event, seen


@dataclass(frozen=True)
class Listed:
    """What a list holds."""

    items: list[Stored]
    revision: int
    token: str = ""
    """For the next page; "" on the last one."""
    remaining: int | None = None

    def metadata(self, kind: Kind) -> dict[str, object]:
        """Give the list's metadata; that of custom objects has a token always."""
        found: dict[str, object] = {"resourceVersion": str(self.revision)}
        if self.token or kind.crd:
            found["continue"] = self.token
            if self.remaining is not None:
                found["remainingItemCount"] = self.remaining
        return found


def get(call: Call) -> Answer:
    """GET of an object. Raises `Refused`."""
    version = call.query.get("resourceVersion", "")
    if version.isdigit() and int(version) > call.world.store.revision:
        raise from_the_future(int(version), call.world.store.revision)
    return Answer(call.found())


def list_objects(call: Call) -> Listed:
    """GET of a collection. Raises `Refused`."""
    options = list_options(call.query, watch=False)
    chosen = _chosen(call, options)
    revision, after = _moment(call, options)
    store = call.world.store
    if revision > store.revision:
        raise from_the_future(revision, store.revision)
    items = _at(call, revision, after)
    if after:
        items = [stored for stored in items if stored.key > after]
    matching = [stored for stored in items if chosen(stored.content)] if chosen else items
    if not options.limit or len(matching) <= options.limit:
        return Listed(matching, revision)
    page = matching[: options.limit]
    remaining = None if chosen else len(matching) - options.limit
    return Listed(page, revision, _token(revision, page[-1].key), remaining)


def _chosen(call: Call, options: ListOptions) -> Test | None:
    by_labels = selectors.by_labels(options.labels)
    by_fields = selectors.by_fields(options.fields, call.kind)
    if by_labels and by_fields:
        return lambda content: by_labels(content) and by_fields(content)
    return by_labels or by_fields


def _moment(call: Call, options: ListOptions) -> tuple[int, tuple[str, str] | None]:
    """Give the version to show, and the key after which a page begins."""
    if options.token:
        return _read_token(options.token)
    exact = options.match == "Exact" or (options.limit and options.revision and not options.match)
    if options.revision and (exact or options.revision > call.world.store.revision):
        return options.revision, None
    return call.world.store.revision, None


def _at(call: Call, revision: int, after: tuple[str, str] | None) -> list[Stored]:
    store = call.world.store
    if revision == store.revision:
        return store.all_of(call.resource, call.scope)
    try:
        return store.all_of_at(call.resource, call.scope, revision)
    except Forgotten as exc:
        if after is None:
            why = "The resourceVersion for the provided list is too old."
            raise refused(GONE, "Expired", why) from exc
        expired = refused(
            GONE,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result. You can start a new list"
            " without the continue parameter, or use the continue token in this response to retrieve the remainder of"
            " the results. Continuing with the provided token results in an inconsistent list - objects that were"
            " created, modified, or deleted between the time the first chunk was returned and now may show up in the"
            " list.",
        )
        expired.status["metadata"] = {"continue": _token(store.revision, after)}
        raise expired from exc


def _token(revision: int, after: tuple[str, str]) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": list(after)})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = found["start"]
        return int(found["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError) as exc:
        raise bad_request(f"invalid continue token: continue key is not valid: {exc}") from exc


def delete_collection(call: Call) -> Listed:
    """DELETE of a collection: of each object that is chosen. Raises `Refused`."""
    options = deleting.options_of(call)
    listed = list_objects(call)
    for stored in listed.items:
        deleting.end(call.world, call.kind, call.resource, stored, options)
    return Listed(listed.items, call.world.store.revision, listed.token, listed.remaining)


def watch(call: Call, render: Render, render_key: str) -> Watch:
    """GET of a collection with `watch`; `render` makes the JSON of its objects. Raises `Refused`."""
    options = list_options(call.query, watch=True)
    wanted = Wanted(
        kind=call.kind,
        resource=call.resource,
        namespace=call.scope,
        chosen=_chosen(call, options),
        render=render,
        render_key=render_key,
        bookmarks=options.bookmarks,
        seconds=options.seconds,
    )
    try:
        initial = _beginning(call, options, wanted)
    except Refused as exc:
        return Watch(wanted, call.world.watchers, [error(exc.status)], ends=True)
    return Watch(wanted, call.world.watchers, initial)


def _beginning(call: Call, options: ListOptions, wanted: Wanted) -> list[bytes]:
    """Give the events that a watch begins with. Raises `Refused` where they are not remembered."""
    store = call.world.store
    state_first = options.initial_events or (options.initial_events is None and not options.revision)
    if not state_first and options.revision:
        try:
            changes = store.changes_since(call.resource, options.revision)
        except Forgotten as exc:
            raise too_old(exc.revision, exc.oldest) from exc
        told = (seen(change, wanted.chosen) for change in changes if call.scope in (None, change.shown.key[0]))
        return _rendered([one for one in told if one], wanted.render)
    if not state_first:
        return []
    items = store.all_of(call.resource, call.scope)
    found = _rendered(
        [("ADDED", stored) for stored in items if wanted.chosen is None or wanted.chosen(stored.content)], wanted.render
    )
    if options.bookmarks and (options.initial_events or options.revision == 0):
        found.append(bookmark(call.kind, store.revision, initial_events_end=True))
    return found


def _rendered(told: list[tuple[str, Stored]], render: Callable[[Stored, bool], bytes]) -> list[bytes]:
    return [event(kind, render(shown, not number)) for number, (kind, shown) in enumerate(told)]
