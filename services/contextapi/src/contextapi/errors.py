"""What the service can fail with beyond what `servicekit.errors` has."""

from __future__ import annotations


class NotFoundError(Exception):
    """There is no incident of this id; never cached, as it may come."""

    def __init__(self, number: int) -> None:
        """Say which."""
        super().__init__(f"there is no incident with the id {number}")
