"""Replies as Starlette responses, and every refusal and fault in the one shape that clients read."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hilt.conversation import HiltError
from hilt.protocols.openai_errors import error_body, fault_reply
from hilt.protocols.replies import Reply


def response_of(reply: Reply) -> Response:
    """What sends `reply`."""
    return Response(reply.body, reply.status, dict(reply.headers), media_type="application/json")


def refusal(status: int, message: str, *, code: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """A refusal that no codec had a say in, such as a body that is too large."""
    return Reply(status=status, body=error_body(message, status=status, code=code), headers=headers)


def fault_response(error: HiltError) -> Response:
    """What sends the answer that tells of `error`."""
    return response_of(fault_reply(error))


async def unrouted(request: Request, error: Exception) -> Response:
    """The answer where Starlette's router found no route (404) or not this method (405)."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.scope["path"]
    asked = f"{request.method} {path[:200]}"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{asked}: this address takes {allowed} only."
        return response_of(refusal(405, message, code="method_not_allowed", headers=(("Allow", allowed),)))
    message = f"{asked}: there is nothing at this address; Chat Completions are at POST /v1/chat/completions."
    return response_of(refusal(error.status_code, message, code="not_found"))
