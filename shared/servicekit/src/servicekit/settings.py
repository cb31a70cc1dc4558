"""A service's settings: read once, checked all at once, and never a secret in the wrong place.

Rule 1: a setting `pool_size` of a service with the prefix `AUDIT_` is the variable `AUDIT_POOL_SIZE`; else the key
        `pool_size` of the YAML file that `AUDIT_CONFIG` names; else its default.
Rule 2: a secret (a field of type SecretStr) comes from its variable or from the file that `<VARIABLE>_FILE` names, not
        from both, and never from the YAML file.
Rule 3: a wrong setting is one sentence: which, its value (a secret's never), why, and what would be right - which is
        the field's description, so every field has one.
Rule 4: the environment is only what `load` is given: a model that is made directly, as in a test, sees none of it.
        (That is also why this is no pydantic-settings class, which reads `os.environ` whenever it is made.)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError


class SettingsError(Exception):
    """The settings are wrong; `problems` has one sentence per wrong field."""

    def __init__(self, problems: list[str]) -> None:
        """Take at least one sentence."""
        super().__init__("\n".join(problems))
        self.problems = problems


def _of_redis(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it does not begin with redis://, rediss:// or unix://")
    return value


RedisUrl = Annotated[SecretStr, AfterValidator(_of_redis)]


class Settings(BaseModel):
    """What every service can be told; a service's own class adds its fields and its `prefix`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    prefix: ClassVar[str]

    host: str = Field(
        default="127.0.0.1", description="the address to listen on, as 0.0.0.0 inside a container", min_length=1
    )
    port: int = Field(
        default=8080, description="the TCP port to listen on, 0 to 65535; 0 takes a free one", ge=0, le=65535
    )
    socket_fd: int | None = Field(
        default=None,
        description="the number of an inherited, bound socket, which takes the place of host and port",
        ge=0,
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least level that is logged: debug, info, warning or error"
    )
    max_body_bytes: int = Field(default=1_048_576, description="the largest request body in bytes, 1 or more", ge=1)
    shutdown_grace: float = Field(
        default=5.0,
        description="seconds between not being ready and refusing connections, 0 or more",
        ge=0,
        allow_inf_nan=False,
    )
    shutdown_timeout: float = Field(
        default=30.0,
        description="seconds that requests in flight have at shutdown, more than 0",
        gt=0,
        allow_inf_nan=False,
    )

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ` and the files it names; raise SettingsError with every wrong field."""
        problems: list[str] = []
        values = _from_yaml(cls, environ, problems)
        for name, field in cls.model_fields.items():
            variable = f"{cls.prefix}{name.upper()}"
            if variable in environ:
                values[name] = environ[variable]
            if _is_secret(field.annotation) and f"{variable}_FILE" in environ:
                values[name] = _from_file(variable, environ, problems)
        refused = {problem.partition(":")[0] for problem in problems}
        try:
            settings = cls.model_validate(values)
        except ValidationError as exc:
            told = (_problem(cls, error) for error in exc.errors(include_url=False))
            problems += [problem for problem in told if problem.partition(":")[0] not in refused]
            raise SettingsError(problems) from None  # the error's own text may quote a secret
        if problems:
            raise SettingsError(problems)
        return settings

    @classmethod
    def load_or_exit(cls, environ: Mapping[str, str]) -> Self:
        """Do as `load`; where a setting is wrong, write the sentences to stderr and end with exit code 2."""
        try:
            return cls.load(environ)
        except SettingsError as exc:
            sys.stderr.write(f"{exc}\n")
            sys.exit(2)


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())


def _from_yaml(cls: type[Settings], environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    variable = f"{cls.prefix}CONFIG"
    if variable not in environ:
        return {}
    try:
        found = yaml.safe_load(Path(environ[variable]).read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        problems.append(f"{variable}: {environ[variable]!r}: {exc}. Right would be: a YAML file that can be read")
        return {}
    if not isinstance(found, dict):
        problems.append(f"{variable}: {environ[variable]!r}: is no mapping. Right would be: lines such as 'port: 8080'")
        return {}
    values: dict[str, Any] = {str(key): value for key, value in found.items()}
    for name, field in cls.model_fields.items():
        if _is_secret(field.annotation) and name in values:
            del values[name]
            own = f"{cls.prefix}{name.upper()}"
            problems.append(
                f"{own}: (hidden): a secret is never read from the YAML file {environ[variable]!r}."
                f" Right would be: the variable {own}, or {own}_FILE with the path of a file"
            )
    return values


def _from_file(variable: str, environ: Mapping[str, str], problems: list[str]) -> str | None:
    path = environ[f"{variable}_FILE"]
    if variable in environ:
        problems.append(f"{variable}: (hidden): is set, and {variable}_FILE too. Right would be: one of the two")
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(f"{variable}: {variable}_FILE={path!r}: {exc}. Right would be: a text file that can be read")
        return None


def _problem(cls: type[Settings], error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else "?"
    field = cls.model_fields.get(name)
    why = error["msg"].removeprefix("Value error, ")
    if field is None:
        known = ", ".join(sorted(cls.model_fields))
        return f"{cls.prefix}CONFIG: {name!r}: no setting has this name. Right would be: one of {known}"
    variable = f"{cls.prefix}{name.upper()}"
    value = "(hidden)" if _is_secret(field.annotation) else repr(error["input"])
    if error["type"] == "missing":
        value = "(not set)"
    hint = ""
    if str(error["input"]).startswith("tcp://"):
        hint = " (Kubernetes sets this for a Service of that name: put enableServiceLinks: false into the pod)"
    return f"{variable}: {value}: {why}{hint}. Right would be: {field.description}"
