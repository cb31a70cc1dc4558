"""`python -m gateway`: the service alone, on its own port."""

import gc

from gateway.app import create_app
from gateway.settings import GatewaySettings
from servicekit import run

_RARELY = 10_000

if __name__ == "__main__":
    # What is imported stays for good: the official client alone has thousands of classes. To look at it again and again
    # costs the collector a fifth of the time of a repeated signal.
    gc.freeze()
    gc.set_threshold(_RARELY)
    run(create_app, GatewaySettings)
