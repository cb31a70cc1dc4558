"""The page that tells of these faults: every example on it runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from shared.testinfra.tests.sandbox import Sandbox

PAGE = Path(__file__).parents[5] / "docs/howto/break-the-apiserver.md"


def test_every_example_runs(sandbox: Sandbox) -> None:
    """On a local control plane, where all of them work."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    sandbox.write(**{f"test_example_{number}": text for number, text in enumerate(examples)})
    run = sandbox.pytest("--kubernetes=apiserver")
    tests = sum(text.count("\ndef test_") for text in examples)
    assert len(examples) == 6
    assert (run.code, run.count("tests")) == (0, tests), run.output
