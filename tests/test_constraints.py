"""What tools/constraints.py refuses; that the real file passes is a step of the lint session."""

from __future__ import annotations

import pytest

from tools import constraints

HASH = f"    --hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.invalid/simple",
        "--find-links wheels",
        "-e ./schema",
        "schema @ file:///somewhere/schema",
        "./schema",
        "# made with https://example.invalid",
    ],
)
def test_an_address_or_a_path_is_refused(line: str) -> None:
    """Index, link, editable, file and folder are all found, in comments too."""
    _, problems = constraints.pinned(f"{line}\n")
    assert problems == [f"line 1 holds an address or a path: {line}"]


@pytest.mark.parametrize("line", ["pytest", "pytest>=9", "pytest==9.1"])
def test_an_entry_without_exact_version_and_hash_is_refused(line: str) -> None:
    """A range, a bare name and a version without hashes are no pins."""
    _, problems = constraints.pinned(f"{line}\n")
    assert problems == [f"line 1 is no exact version with hashes: {line}"]


def test_an_entry_whose_hash_is_missing_is_refused() -> None:
    """The promise of a hash (the backslash) is not the hash."""
    _, problems = constraints.pinned(f"one==1 \\\ntwo==2 \\\n{HASH}\n")
    assert problems == ["line 2 follows an entry without a hash: two==2 \\"]


def test_pins_with_markers_are_read() -> None:
    """What uv writes for one platform only is a pin like any other."""
    names, problems = constraints.pinned(f"colorama==0.4.6 ; sys_platform == 'win32' \\\n{HASH} \\\n{HASH}\n")
    assert (names, problems) == ({"colorama"}, [])


def test_names_are_compared_in_their_normal_form() -> None:
    """`PyTest_Xdist[psutil]>=3` is pytest-xdist."""
    assert constraints.normal("PyTest_Xdist[psutil]>=3") == "pytest-xdist"


def test_everything_that_a_pyproject_names_is_wanted() -> None:
    """Dependencies, extras and groups count; included groups are no names; a project is a member."""
    ours, needed = constraints.wanted(
        [
            {"project": {"name": "A", "dependencies": ["b>=1"], "optional-dependencies": {"test": ["c"]}}},
            {"dependency-groups": {"one": ["d"], "two": [{"include-group": "one"}]}},
        ]
    )
    assert (ours, needed) == ({"a"}, {"b", "c", "d"})
