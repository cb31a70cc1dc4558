"""Take markup out of text, and nothing else.

Rule 1: what goes is `<script>...</script>` with its content, and every tag, comment and declaration.
Rule 2: everything else is data and stays as it was: SQL keywords, quotes, `a < b`, entities. Parameters are always
        bound, so a name such as `my-app-delete-jobs` is no danger to anybody.
Rule 3: one pass over the text, with a stack. Removing `<b>` out of `<scr<b>ipt>` makes a new tag, so a replacement
        would have to be repeated until nothing changes, and a text made for it would keep it busy for minutes.
"""

from __future__ import annotations

import re

_SPLIT = re.compile(r"([<>])")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[!?][^<>]*>")
_SCRIPT = re.compile(r"<script(?=[\s/>])", re.IGNORECASE)
_SCRIPT_END = re.compile(r"</script(?=[\s/>])", re.IGNORECASE)


def without_markup(text: str) -> str:
    """Return the text without scripts and tags; takes time proportional to its length."""
    kept: list[str] = []
    angles: list[int] = []  # where in `kept` the angles stand that may still open a tag
    script: int | None = None  # where in `kept` an open script element began
    for piece in _SPLIT.split(text):
        kept.append(piece)
        if piece == "<":
            angles.append(len(kept) - 1)
        if piece != ">" or not angles:
            continue
        open_angle = angles.pop()
        tag = "".join(kept[open_angle:])
        if _TAG.fullmatch(tag) is None:
            angles.clear()  # an angle further left would have to reach over this one, and no tag does
            continue
        del kept[open_angle:]
        if _SCRIPT.match(tag) and script is None:
            script = open_angle
        elif _SCRIPT_END.match(tag) and script is not None:
            del kept[script:]
            while angles and angles[-1] >= script:
                angles.pop()
            script = None
    return "".join(kept)
