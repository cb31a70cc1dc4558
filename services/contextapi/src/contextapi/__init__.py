"""Read-only context for decisions: what happened, what is like it, and how often; cached, and never written."""

from contextapi.app import create_app
from contextapi.settings import ContextapiSettings

__all__ = ["ContextapiSettings", "create_app"]
