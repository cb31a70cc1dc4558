"""Take markup out of text, and nothing else.

Rule 1: what goes is `<script>...</script>` with its content, and every tag, comment and declaration.
Rule 2: everything else is data and stays as it was: SQL keywords, quotes, `a < b`, entities. Parameters are always
        bound, so a name such as `my-app-delete-jobs` is no danger to anybody.
Rule 3: one pass over the text, with a stack. Removing `<b>` out of `<scr<b>ipt>` makes a new tag, so a replacement
        would have to be repeated until nothing changes, and a text made for it would keep it busy for minutes.
Rule 4: what comes out has no markup left: taken through again, it stays as it is.
"""

from __future__ import annotations

import re

_ANGLE = re.compile(r"[<>]")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[!?][^<>]*>")
_SCRIPT = re.compile(r"<script(?=[\s/>])", re.IGNORECASE)
_SCRIPT_END = re.compile(r"</script(?=[\s/>])[^<>]*>", re.IGNORECASE)


def without_markup(text: str) -> str:
    """Return the text without scripts and tags; takes time proportional to its length."""
    kept: list[str] = []
    angles: list[int] = []  # where in `kept` the angles stand that may still open a tag
    position = 0
    scripts_end = True
    while angle := _ANGLE.search(text, position):
        kept += [text[position : angle.start()], angle[0]]
        position = angle.end()
        if angle[0] == "<":
            angles.append(len(kept) - 1)
        if angle[0] == "<" or not angles:
            continue
        open_angle = angles.pop()
        tag = "".join(kept[open_angle:])
        if _TAG.fullmatch(tag) is None:
            angles.clear()  # an angle further left would have to reach over this one, and no tag does
            continue
        del kept[open_angle:]
        if scripts_end and _SCRIPT.match(tag):
            end = _SCRIPT_END.search(text, position)
            scripts_end = end is not None  # looked for once where there is none, so that time stays proportional
            position = end.end() if end else position
    return "".join([*kept, text[position:]])
