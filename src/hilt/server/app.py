"""The application: routes, and around them the guard and the layer that contains faults."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hilt.agent import ServerTools
from hilt.backends import Backend
from hilt.protocols.openai_models import model_reply, models_reply
from hilt.protocols.replies import Reply
from hilt.server.answers import response_of, unrouted
from hilt.server.approvals import approval_routes
from hilt.server.chat import ChatOptions, chat_completions
from hilt.server.faults import contained
from hilt.server.security import guarded
from hilt.server.served import find_served
from hilt.settings import ServerOptions
from hilt.tools import Desk

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    backends: Mapping[str, Backend],
    options: ServerOptions,
    *,
    version: str,
    new_id: Callable[[], str],
    now_s: Callable[[], float],
    server_tools: ServerTools | None = None,
    desk: Desk | None = None,
) -> Starlette:
    """The application that serves `backends` under their ids; the first is the default.

    `new_id` gives a new unique word each time, `now_s` the seconds since 1970. `server_tools` are run by the server for
    requests that ask for them; what they ask lies on the `desk` until it is answered through the API.
    """
    chat_options = ChatOptions(
        max_body_bytes=options.max_body_bytes,
        keep_alive_s=options.keep_alive_s,
        new_id=new_id,
        now_s=now_s,
        server_tools=server_tools,
    )
    app = Starlette(
        routes=[
            Route("/", _front, methods=["GET"]),
            Route("/health", _health(backends, version, server_tools), methods=["GET"]),
            Route("/v1/models", _models(backends, created_s=int(now_s())), methods=["GET"]),
            Route("/v1/models/{name:path}", _model(backends, created_s=int(now_s())), methods=["GET"]),
            Route("/v1/chat/completions", chat_completions(backends, chat_options), methods=["POST"]),
            *approval_routes(desk, options),
        ],
        middleware=[
            Middleware(contained, new_id=new_id),
            Middleware(guarded, bound_host=options.host, api_key=options.api_key),
        ],
        exception_handlers={HTTPException: unrouted},
    )
    # A redirect would be built from the Host header.
    app.router.redirect_slashes = False
    return app


async def _front(request: Request) -> Response:
    return PlainTextResponse("Hilt is running\n")


def _health(backends: Mapping[str, Backend], version: str, server_tools: ServerTools | None) -> Endpoint:
    async def health(request: Request) -> Response:
        told: dict[str, Any] = {"status": "ok", "version": version, "models": list(backends)}
        if server_tools is not None:
            told["server_tools"] = server_tools.names
        for model_id, backend in list(backends.items())[:1]:
            card = backend.card
            told |= {
                "model": model_id,
                "device": card.device,
                "dialect": card.dialect,
                "context_length": card.context_length,
            }
        return response_of(Reply(status=200, body=msgspec.json.encode(told)))

    return health


def _models(backends: Mapping[str, Backend], *, created_s: int) -> Endpoint:
    async def models(request: Request) -> Response:
        return response_of(models_reply(backends, created_s=created_s))

    return models


def _model(backends: Mapping[str, Backend], *, created_s: int) -> Endpoint:
    async def model(request: Request) -> Response:
        return response_of(
            model_reply(find_served(backends, request.path_params["name"]).model_id, created_s=created_s)
        )

    return model
