"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import matrix
from testinfra.options import SETTINGS, Setting

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPTIONS = (ROOT / "docs/reference/options.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_option_is_in_the_reference_as_it_is(setting: Setting) -> None:
    """Option, variable, default and help line stand in one row."""
    default = setting.default
    if isinstance(default, bool):
        default = "yes" if default else "no"
    elif isinstance(default, tuple):
        default = ", ".join(default)
    shown = "" if default == "" else f"`{default}`"
    assert f"| `{setting.flag}` | `{setting.variable}` | {shown} | {setting.help} |" in OPTIONS


def test_the_reference_has_no_option_that_is_gone() -> None:
    """Every row of the table is a setting."""
    assert set(re.findall(r"^\| `(--[a-z-]+)`", OPTIONS, re.MULTILINE)) == {setting.flag for setting in SETTINGS}


def test_the_readme_lists_every_session_of_the_matrix() -> None:
    """A reader finds each session that `nox --list` shows for the matrix."""
    assert [session for session in matrix.by_session() if f"| `{session}` |" not in README] == []


def test_every_link_between_documents_leads_somewhere() -> None:
    """No relative link is dead."""
    found = re.compile(r"\]\(([^)#:]+)(?:#[\w-]*)?\)")
    links = [(page, link) for page in DOCUMENTS for link in found.findall(page.read_text(encoding="utf-8"))]
    assert links
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
