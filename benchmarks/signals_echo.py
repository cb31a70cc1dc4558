"""The ceiling of any service on this stack: uvicorn and Starlette, which read a body and send it back.

Run as `python benchmarks/signals_echo.py`, with the number of an inherited socket in `ECHO_SOCKET_FD`.
"""

from __future__ import annotations

import os
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def echo(request: Request) -> Response:
    """Send the body back."""
    return Response(await request.body(), media_type="application/json")


async def ready(_: Request) -> Response:
    """Say that requests are answered."""
    return Response()


app = Starlette(
    routes=[Route("/api/v1/signals/prometheus", echo, methods=["POST"]), Route("/readyz", ready, methods=["GET"])]
)

if __name__ == "__main__":
    inherited = socket.socket(fileno=int(os.environ["ECHO_SOCKET_FD"]))
    inherited.setblocking(False)
    config = uvicorn.Config(app, access_log=False, log_config=None)
    uvicorn.Server(config).run(sockets=[inherited])
