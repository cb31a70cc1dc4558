"""The gateway: alerts and events in, exactly one RemediationRequest per problem out."""

from gateway.app import create_app
from gateway.settings import GatewaySettings

__all__ = ["GatewaySettings", "create_app"]
