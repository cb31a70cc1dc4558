"""The controller: does what ToolsetConfigs say, and reviews them before they are stored."""

from __future__ import annotations

import sys

import servicekit


def run() -> None:
    """Be the main program: settings, logs, sockets, app, until a signal ends it."""
    from toolset.controller.app import create_app  # noqa: PLC0415 - kopf and its like are for this verb only
    from toolset.controller.settings import ControllerSettings  # noqa: PLC0415 - likewise
    from toolset.controller.webhook import AddressTakenError  # noqa: PLC0415 - likewise

    try:
        servicekit.run(create_app, ControllerSettings)
    except AddressTakenError as exc:
        sys.stderr.write(f"{exc}\n")
        sys.exit(1)
