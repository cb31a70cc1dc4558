"""What other people put into the ConfigMap stays, whatever they do, whatever comes and goes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.register_assert_rewrite("services.toolset.tests.integration.discovery.walk")

Json = dict[str, Any]
STEPS = 100


def test_what_others_put_there_is_kept(scene: Any, make_service: Callable[..., Json], kubernetes: Any) -> None:
    """After a hundred random edits, and after every reconciliation in between."""
    from hypothesis import HealthCheck, Phase, settings  # noqa: PLC0415 - of all workers, one has this test
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - likewise

    from services.toolset.tests.integration.discovery.walk import Walk  # noqa: PLC0415 - likewise

    counted: list[str] = []
    chosen = settings(
        max_examples=1,
        stateful_step_count=STEPS + 1,  # the first is `begin`
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )

    class Here(Walk):
        def __init__(self) -> None:
            super().__init__(scene, make_service, kubernetes.rest(), counted)

    run_state_machine_as_test(Here, settings=chosen)
    reconciled = counted.count("reconcile")
    assert len(counted) - reconciled == STEPS
    assert reconciled >= STEPS / 4
    assert len(set(counted)) >= 8
