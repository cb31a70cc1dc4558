"""Finds the tools that run in a cluster, checks their health, and publishes them."""

from toolset.app import create_app
from toolset.settings import ServeSettings

__all__ = ["ServeSettings", "create_app"]
