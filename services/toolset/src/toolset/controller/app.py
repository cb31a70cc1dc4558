"""The controller as an application: its parts, and what it needs."""

from __future__ import annotations

from importlib.metadata import version

from servicekit import Dependency, ServiceApp, new_registry
from toolset.clock import Clock, SystemClock
from toolset.controller.parts import Parts
from toolset.controller.settings import ControllerSettings


class ControllerApp(ServiceApp):
    """The application; `parts` are what it is made of."""

    parts: Parts


def create_app(settings: ControllerSettings, clock: Clock | None = None) -> ControllerApp:
    """Return the controller; it connects to nothing before it is served."""
    registry = new_registry()
    parts = Parts(settings, registry, clock or SystemClock())
    app = ControllerApp(
        title="toolset controller",
        version=version("toolset"),
        settings=settings,
        registry=registry,
        needs=[
            Dependency(name="kubernetes", probe=parts.cluster.probe),
            Dependency(name="watches", probe=parts.watches.are_well),
            Dependency(name="webhook", probe=parts.webhook.is_well),
            Dependency(name="lease", probe=parts.lease.is_known, required=False),
        ],
        resources=parts.running,
    )
    app.parts = parts
    return app
