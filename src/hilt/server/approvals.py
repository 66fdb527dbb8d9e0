"""`/v1/approvals`: what the server's own tools ask, and the answers.

Whoever answers lets the server change things, so both routes need the server's key, on this machine too.
"""

from typing import Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hilt.conversation import InvalidRequest
from hilt.protocols.replies import Reply
from hilt.server.answers import refusal, response_of
from hilt.server.bodies import SenderGone, TooLarge, read_body
from hilt.settings import ServerOptions
from hilt.tools import Approved, Desk, Refused

_MAX_BODY_BYTES = 10_000


class _Decision(Struct, frozen=True, forbid_unknown_fields=True):
    decision: Literal["approve", "refuse"]
    reason: str = ""


def approval_routes(desk: Desk | None, options: ServerOptions) -> list[Route]:
    """The routes that list what is asked and take the answers; none without a desk."""
    if desk is None:
        return []

    async def waiting(http: Request) -> Response:
        if options.api_key is None:
            return response_of(_keyless())
        asked = [
            {"id": request.fingerprint, **{k: v for k, v in msgspec.to_builtins(request).items() if k != "fingerprint"}}
            for request in desk.waiting
        ]
        return response_of(Reply(status=200, body=msgspec.json.encode({"object": "list", "data": asked})))

    async def answer(http: Request) -> Response:
        if options.api_key is None:
            return response_of(_keyless())
        body = await read_body(http.headers, http.receive, _MAX_BODY_BYTES)
        if isinstance(body, TooLarge | SenderGone):
            return response_of(refusal(413, f"An answer has at most {_MAX_BODY_BYTES} bytes.", code="body_too_large"))
        try:
            said = msgspec.json.decode(body, type=_Decision)
        except msgspec.DecodeError as fault:
            raise InvalidRequest(
                f'An answer is {{"decision": "approve"}} or {{"decision": "refuse", "reason": "..."}}: {fault}.'
            ) from None
        fingerprint = http.path_params["fingerprint"]
        refused = Refused(said.reason) if said.reason else Refused()
        desk.answer(fingerprint, Approved(fingerprint) if said.decision == "approve" else refused)
        return response_of(Reply(status=200, body=msgspec.json.encode({"id": fingerprint, "decision": said.decision})))

    return [
        Route("/v1/approvals", waiting, methods=["GET"]),
        Route("/v1/approvals/{fingerprint}", answer, methods=["POST"]),
    ]


def _keyless() -> Reply:
    return refusal(
        403,
        "Approvals need a server with a key; start it with --api-key KEY (or HILT_API_KEY).",
        code="api_key_required",
    )
