"""The settings of the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from servicekit.cluster_settings import Namespace, Namespaces
from toolset.settings import ObjectName, ToolsetSettings


def _is_a_file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError("there is no such file")
    return value


def _is_a_webhook(value: str) -> str:
    if value and not value.startswith("https://"):
        raise ValueError("it does not begin with https://")
    return value


File = Annotated[str, AfterValidator(_is_a_file)]


class ControllerSettings(ToolsetSettings):
    """What can be told to `controller`."""

    namespaces: Namespaces = Field(
        default=(),
        description="the namespaces that ToolsetConfigs and tools are looked for in, as 'monitoring,shop', or nothing"
        " for all",
    )
    own_namespace: Namespace = Field(
        default="kubernaut-system", description="the namespace of the lease and of the certificate's Secret"
    )
    lease_name: ObjectName = Field(
        default="toolset-controller", description="the name of the Lease that replicas share"
    )
    lease_duration: int = Field(
        default=15, description="seconds after which another replica takes over from a dead one, 1 to 300", ge=1, le=300
    )
    debounce: float = Field(
        default=0.5,
        description="seconds that changes of Services are gathered before a discovery, 0 to 60",
        ge=0,
        le=60,
        allow_inf_nan=False,
    )
    watch_timeout: int = Field(
        default=30, description="seconds after which a watch is opened anew, 1 to 300", ge=1, le=300
    )
    webhook_host: str = Field(
        default="127.0.0.1", description="the address of the admission webhook, as 0.0.0.0 in a container", min_length=1
    )
    webhook_port: int = Field(
        default=9443,
        description="the TCP port of the admission webhook, 0 to 65535; 0 takes a free one",
        ge=0,
        le=65535,
    )
    webhook_configuration: ObjectName | None = Field(
        default=None,
        description="the name of the ValidatingWebhookConfiguration to keep up to date, or nothing for none",
    )
    webhook_service: ObjectName = Field(
        default="toolset-controller", description="the name of the Service before the webhook, for its certificate"
    )
    webhook_url: Annotated[str, AfterValidator(_is_a_webhook)] = Field(
        default="",
        description="where the API server reaches the webhook if not by that Service, as"
        " 'https://host:{port}/review', where {port} stands for the port that was taken",
    )
    webhook_secret: ObjectName = Field(
        default="toolset-webhook-certificate",
        description="the name of the Secret that replicas share the certificate in",
    )
    webhook_certificate: File = Field(
        default="", description="the path of the webhook's certificate (PEM), or nothing for one of its own making"
    )
    webhook_key: File = Field(default="", description="the path of that certificate's key (PEM)")
    webhook_ca: File = Field(
        default="",
        description="the path of the authority (PEM) that signed that certificate; all three are given, or none",
        validate_default=True,
    )

    @field_validator("webhook_ca")
    @classmethod
    def _all_or_none(cls, value: str, info: ValidationInfo) -> str:
        others = [bool(info.data.get(name)) for name in ("webhook_certificate", "webhook_key")]
        if others != [bool(value)] * 2:
            raise ValueError("of certificate, key and authority some are given and some are not")
        return value
