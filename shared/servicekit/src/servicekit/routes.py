"""A route that takes JSON and says so: 415 with `Accept` for anything else, before the body is looked at."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from servicekit.problems import ProblemError

_JSON = "application/json"


class JsonRoute(APIRoute):
    """Use it as the `route_class` of a router: its handlers with a body get `application/json` in UTF-8 or nothing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, behind the check where the route has a body."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def check_and_handle(request: Request) -> Response:
            said = request.headers.get("content-type", "")
            if said != _JSON and not _is_json(said):
                detail = f"the content type is {said or 'none'}, and has to be {_JSON}, in UTF-8"
                raise ProblemError(415, detail=detail, headers={"Accept": _JSON})
            return await handle(request)

        return check_and_handle


def _is_json(content_type: str) -> bool:
    sent = Message()
    sent["content-type"] = content_type
    charset = str(sent.get_param("charset", "utf-8")).lower()
    return sent.get_content_type() == _JSON and charset == "utf-8"
