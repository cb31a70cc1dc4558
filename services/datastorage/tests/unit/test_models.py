"""The shape of a remediation, where no service is needed to see it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from datastorage.models import RemediationIn

RECORD: dict[str, Any] = {
    "name": "restart-payment-api",
    "namespace": "payments",
    "phase": "pending",
    "action_type": "restart_pod",
    "status": "started",
    "start_time": "2026-11-21T10:00:00Z",
    "remediation_request_id": "request-1",
    "signal_fingerprint": "0f3a9c",
    "severity": "high",
    "environment": "production",
    "cluster_name": "eu-1",
    "target_resource": "deployment/payment-api",
}


@pytest.mark.parametrize(
    ("given", "wants"), [({}, True), ({"embedding": None}, False), ({"embedding": [1.0] * 384}, True)]
)
def test_leaving_the_vector_out_is_not_giving_null(given: dict[str, Any], wants: bool) -> None:
    """Left out, the service makes a vector; null is the wish to have none."""
    assert RemediationIn.model_validate({**RECORD, **given}).wants_vector is wants


def test_the_text_of_a_vector_is_what_the_record_says() -> None:
    """Ids and times are not in it, so two records of one event have one vector, and one entry in the cache."""
    one = RemediationIn.model_validate({**RECORD, "error_message": "out of memory"})
    other = {**RECORD, "error_message": "out of memory", "remediation_request_id": "2", "duration": 5}
    assert one.text() == RemediationIn.model_validate(other).text()
    assert "out of memory" in one.text()
    assert "request-1" not in one.text()


@pytest.mark.parametrize("depth", [14, 15])
def test_metadata_may_be_nested_but_not_without_end(depth: int) -> None:
    """Sixteen levels are taken, the seventeenth is refused."""
    nested: Any = "x"
    for _ in range(depth):
        nested = [nested]
    if depth < 15:
        assert RemediationIn.model_validate({**RECORD, "metadata": {"a": nested}}).metadata == {"a": nested}
    else:
        with pytest.raises(ValidationError, match="nested deeper than 16"):
            RemediationIn.model_validate({**RECORD, "metadata": {"a": nested}})
