"""The audit store: writes and reads what was done about a signal, and finds what is like it."""

from datastorage.app import create_app
from datastorage.settings import DatastorageSettings

__all__ = ["DatastorageSettings", "create_app"]
