"""CustomResourceDefinitions out of YAML files, on a server that others share.

Rule 1: installing is done when the server serves the kind, not when it has stored the definition.
Rule 2: the same definition installed by several processes at once is one definition; a changed one replaces the old.
Rule 3: definitions stay until the server ends: other tests may stand on them. On an external cluster they stay too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from testinfra.errors import Misconfigured, NotReady
from testinfra.kubernetes.rest import CONFLICT, NOT_FOUND, TOO_MANY_REQUESTS, ApiError, Rest
from testinfra.servers.ready import wait_until

_KIND = "CustomResourceDefinition"
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_SERVED_WITHIN = 20.0
_TRIES = 10


class Crds:
    """Installs definitions on one server."""

    def __init__(self, rest: Rest) -> None:
        """Install through `rest`, an administrator's."""
        self._rest = rest
        self._installed: dict[str, str] = {}

    def install(self, path: Path) -> list[str]:
        """Install every definition in the YAML file `path`, or in the *.yaml and *.yml of that folder.

        Gives the definitions' names. Raises `Misconfigured` for a file that holds none or that the server refuses,
        `NotReady` when the server does not serve them in time.
        """
        names = []
        for file, definition in _read(path):
            name = str(definition["metadata"]["name"])
            text = json.dumps(definition, sort_keys=True)
            if self._installed.get(name) != text:
                self._put(file, name, definition)
                self._await(name, definition)
                self._installed[name] = text
            names.append(name)
        return names

    def _put(self, file: Path, name: str, definition: dict[str, Any]) -> None:
        for _ in range(_TRIES):
            try:
                self._rest.post(_PATH, definition)
            except ApiError as exc:
                if exc.status != CONFLICT:
                    raise _refused(file, name, exc) from exc
                if self._replace(file, name, definition):
                    return
            else:
                return
        raise NotReady(f"the definition {name} of {file} could not be installed: others change it all the time")

    def _replace(self, file: Path, name: str, definition: dict[str, Any]) -> bool:
        """Replace what is there where it differs; False when somebody was faster."""
        found = self._rest.get(f"{_PATH}/{name}")
        if _contains(found["spec"], definition["spec"]):
            return True
        version = found["metadata"]["resourceVersion"]
        wanted = {**definition, "metadata": {**definition["metadata"], "resourceVersion": version}}
        try:
            self._rest.put(f"{_PATH}/{name}", wanted)
        except ApiError as exc:
            if exc.status == CONFLICT:
                return False
            raise _refused(file, name, exc) from exc
        return True

    def _await(self, name: str, definition: Mapping[str, Any]) -> None:
        def is_served() -> bool:
            if not _established(self._rest.get(f"{_PATH}/{name}")):
                return False
            try:
                return all(self._rest.get(path, limit=1) for path in _served_at(definition))
            except ApiError:
                return False

        wait_until(is_served, what=f"the server serves {name}", timeout=_SERVED_WITHIN)


def check_served(rest: Rest) -> None:
    """Return when every custom resource that the server has accepted is served; raise `ApiError` before.

    A server that was restarted is ready somewhat earlier: it answers 429 for a custom resource whose storage it opens.
    """
    for definition in rest.get(_PATH)["items"]:
        for path in _served_at(definition) if _established(definition) else ():
            try:
                rest.get(path, limit=1)
            except ApiError as exc:
                if exc.status in (NOT_FOUND, TOO_MANY_REQUESTS):  # another refusal is no matter of time
                    raise


def _served_at(definition: Mapping[str, Any]) -> list[str]:
    spec = definition["spec"]
    served = [version["name"] for version in spec["versions"] if version.get("served", True)]
    return [f"/apis/{spec['group']}/{version}/{spec['names']['plural']}" for version in served]


def _established(definition: Mapping[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _read(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    import yaml  # noqa: PLC0415 - a suite without definitions need not wait for it

    files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
    found = False
    for file in files:
        try:
            documents = list(yaml.safe_load_all(file.read_text()))
        except (OSError, yaml.YAMLError) as exc:
            raise Misconfigured(f"{file} cannot be read as YAML: {exc}") from exc
        for document in documents:
            if isinstance(document, dict) and document.get("kind") == _KIND:
                found = True
                yield file, document
    if not found:
        raise Misconfigured(
            f"there is no {_KIND} in {path}",
            looked_at=[str(file) for file in files] or [f"{path}/*.yaml", f"{path}/*.yml"],
            next_step="install_crds(<a YAML file, or a folder of them>)",
        )


def _contains(found: Any, wanted: Any) -> bool:
    """Tell whether `wanted` is in `found`, which the server may have completed with defaults."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_contains(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_contains, found, wanted))
    return bool(found == wanted)


def _refused(file: Path, name: str, exc: ApiError) -> Misconfigured:
    return Misconfigured(f"the server refuses the definition {name}: {exc.message}", looked_at=[str(file)])
