"""The settings as they are now: SIGHUP reads them again, and no request notices.

Rule 1: whoever needs a setting reads it when it needs it; a request that has begun ends with what it has read.
Rule 2: a wrong file changes nothing: the old settings stay, and every wrong field is logged.
Rule 3: a changed setting that needs a new process is named in the log, and stays as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import structlog

from gateway.settings import RELOADABLE, GatewaySettings
from servicekit import SettingsError

_log = structlog.get_logger(__name__)


class Live:
    """Holds the settings in force."""

    def __init__(self, settings: GatewaySettings, load: Callable[[], GatewaySettings]) -> None:
        """Begin with `settings`; `load` reads them again, and raises SettingsError where they are wrong."""
        self.settings = settings
        self._load = load

    def reload(self) -> bool:
        """Read the settings again; False where they are wrong, and the old ones stay."""
        try:
            found = self._load()
        except SettingsError as exc:
            _log.error("settings are wrong, the old ones stay", problems=exc.problems)
            return False
        old = self.settings
        changed = [name for name in type(old).model_fields if getattr(old, name) != getattr(found, name)]
        taken = {name: getattr(found, name) for name in changed if name in RELOADABLE}
        self.settings = old.model_copy(update=taken)
        logging.getLogger().setLevel(self.settings.log_level.upper())
        _log.info("settings reloaded", changed=sorted(taken))
        if ignored := sorted(set(changed) - RELOADABLE):
            _log.warning("these settings need a new process", ignored=ignored)
        return True
