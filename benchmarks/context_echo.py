"""The ceiling of any service on this stack: uvicorn and Starlette, which answer the same bytes again and again.

Run as `python benchmarks/context_echo.py`, with the number of an inherited socket in `ECHO_SOCKET_FD`, and the file
with the bytes in `ECHO_BODY`. `ECHO_SERVER` is `plain` for uvicorn as it comes, and `same` for the loop and the HTTP
parser that the services have.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_BODY = Path(os.environ["ECHO_BODY"]).read_bytes()


async def echo(_: Request) -> Response:
    """Send the bytes."""
    return Response(_BODY, media_type="application/json")


async def ready(_: Request) -> Response:
    """Say that requests are answered."""
    return Response()


app = Starlette(routes=[Route("/api/v1/incidents", echo), Route("/readyz", ready)])

if __name__ == "__main__":
    inherited = socket.socket(fileno=int(os.environ["ECHO_SOCKET_FD"]))
    inherited.setblocking(False)
    config = (
        uvicorn.Config(app, access_log=False, log_config=None, loop="asyncio", http="h11")
        if os.environ["ECHO_SERVER"] == "same"
        else uvicorn.Config(app, access_log=False, log_config=None)
    )
    uvicorn.Server(config).run(sockets=[inherited])
