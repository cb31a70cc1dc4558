"""The settings of the service; servicekit's `Settings` says where they come from and adds what all services have."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from servicekit.cluster_settings import ClusterSettings, Names, Namespace, Namespaces
from toolset.connect_to import parse


def _routes(value: tuple[str, ...]) -> tuple[str, ...]:
    for entry in value:
        parse(entry)
    return value


Routes = Annotated[Names, AfterValidator(_routes)]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class ToolsetSettings(ClusterSettings):
    """What can be told to `serve` and to `controller`, each as a variable `TOOLSET_<NAME>`; times in seconds."""

    prefix: ClassVar[str] = "TOOLSET_"

    health_timeout: float = Field(
        default=5.0, description="seconds for one health check, more than 0 and at most 60", gt=0, le=60
    )
    health_concurrency: int = Field(default=50, description="health checks at one time, 1 to 1000", ge=1, le=1000)
    connect_to: Routes = Field(
        default=(),
        description="where health checks really connect to, as curl's --connect-to: 'HOST:PORT:ADDRESS:PORT2', several"
        " with commas; HOST or PORT empty is any",
    )


class ServeSettings(ToolsetSettings):
    """What can be told to `serve`."""

    namespaces: Namespaces = Field(
        default=(), description="the namespaces to find tools in, as 'monitoring,shop', or nothing for all"
    )
    interval: float = Field(
        default=300.0, description="seconds from one discovery to the next, 1 to 86400", ge=1, le=86_400
    )
    configmap_namespace: Namespace = Field(
        default="kubernaut-system", description="the namespace of the ConfigMap, which is the service's own"
    )
    configmap_name: ObjectName = Field(
        default="kubernaut-toolset-config",
        description="the name of the ConfigMap: small letters, digits, hyphens and dots, 253 at most",
    )
    auth: Literal["token", "off"] = Field(
        default="token",
        description="token: a bearer token that Kubernetes reviews; off: none is asked for, as behind a proxy of one's"
        " own that does",
    )
