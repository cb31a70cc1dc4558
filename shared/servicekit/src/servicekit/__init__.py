"""What all services of this repository share, written once.

A service makes a `ServiceApp` from its `Settings`, and its `__main__` calls `run`. `servicekit.testing` serves such an
app from a thread.
"""

from servicekit.app import ServiceApp
from servicekit.health import Dependency
from servicekit.metrics import new_registry
from servicekit.openapi import problem_responses
from servicekit.problems import Problem, ProblemError
from servicekit.request_ids import request_id
from servicekit.routes import JsonRoute
from servicekit.serving import run
from servicekit.settings import Settings, SettingsError

__all__ = [
    "Dependency",
    "JsonRoute",
    "Problem",
    "ProblemError",
    "ServiceApp",
    "Settings",
    "SettingsError",
    "new_registry",
    "problem_responses",
    "request_id",
    "run",
]
