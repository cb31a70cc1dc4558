"""Markup goes, everything else stays, in time proportional to the length."""

from __future__ import annotations

import random
import time

import pytest

from servicekit.sanitise import without_markup


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<script>alert(1)</script>Legitimate text", "Legitimate text"),
        ("a<script>1<2 && 3>2</script>b", "ab"),
        ("a<SCRIPT type='x'>y</Script\n>b", "ab"),
        ("a<script>one</script>b<script>two</script>c", "abc"),
        ("a<script>one<script>two</script>three</script>b", "athreeb"),
        ("<b>bold</b> and <img src=x onerror=alert(1)>plain", "bold and plain"),
        ("a<br/>b<!-- note -->c<!DOCTYPE html>d<?xml version='1'?>e", "abcde"),
        ("<scr<script></script>ipt>alert(1)</script>", ""),
        ("<<b>b>alert</<b>b>", "alert"),
        ("<<script>a></script>ab>c", "c"),
        ("<b<script><></script> </script>b>c", "c"),
        ("<a\nhref='x'\n>link</a>", "link"),
        ("<scripted>kept</scripted>", "kept"),
        ("<script>never closed", "never closed"),
        ("text</script>", "text"),
    ],
)
def test_markup_is_taken_out(text: str, left: str) -> None:
    """Scripts with their content; tags, comments and declarations alone; also those that removal would make."""
    assert without_markup(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a < b",
        "a > b",
        "1 <2> 3",
        "x<5 && y>3",
        "<3",
        "->",
        "a<b",
        "<",
        ">",
        "<>",
        "&lt;b&gt;",
        "my-app-delete-jobs",
        "'; --",
    ],
)
def test_what_is_no_markup_stays(text: str) -> None:
    """Comparisons, arrows, entities, SQL: character by character the same."""
    assert without_markup(text) == text


def test_nothing_is_left_to_take_out() -> None:
    """Doing it twice is doing it once, for texts thrown together from the pieces of markup."""
    chance = random.Random(29)  # noqa: S311 - the same texts in every run
    pieces = ["<", ">", "</", "script", "b", " ", "!", "--", "/", "x", "<script>", "</script>", "<b>", "ü"]
    for _ in range(5_000):
        text = "".join(chance.choices(pieces, k=chance.randrange(1, 14)))
        once = without_markup(text)
        assert without_markup(once) == once, text


@pytest.mark.parametrize(
    "text",
    [
        "<b" * 30_000 + ">" * 30_000,
        "<" * 60_000,
        "<a " + ">" * 60_000,
        "<" * 30_000 + "<script></script>" * 2_000,
        "<!--" * 15_000,
    ],
    ids=["nested", "opened", "closed", "scripts", "comments"],
)
def test_a_text_made_to_be_slow_is_not(text: str) -> None:
    """Nesting to any depth costs one pass: a second is hundreds of times what it takes."""
    started = time.perf_counter()
    without_markup(text)
    assert time.perf_counter() - started < 1
