"""Errors in the shape that OpenAI's clients read: `{"error": {message, type, param, code}}`."""

from typing import Any

import msgspec

from hilt.conversation import HiltError, Overloaded
from hilt.protocols.model_faults import ModelFault, explained, fault_code
from hilt.protocols.replies import Reply

# Words that clients branch on; the official SDK itself goes by the status.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "model_output_error",
    503: "server_error",
}


def error_body(message: str, *, status: int, param: str | None = None, code: str | None = None) -> bytes:
    """The JSON text of one error; `status` gives its type, also where it is sent in the middle of a stream."""
    error: dict[str, Any] = {
        "message": message,
        "type": _TYPES.get(status, "server_error"),
        "param": param,
        "code": code,
    }
    return msgspec.json.encode({"error": error})


def fault_body(error: HiltError) -> bytes:
    """The JSON text that tells of `error`."""
    return error_body(error.message, status=error.status, param=error.param, code=error.code)


def fault_reply(error: HiltError) -> Reply:
    """The whole answer that tells of `error`; Overloaded brings a Retry-After header in seconds."""
    headers = (("Retry-After", str(error.retry_after_s)),) if isinstance(error, Overloaded) else ()
    return Reply(status=error.status, body=fault_body(error), headers=headers)


def model_fault_body(fault: ModelFault) -> bytes:
    """The JSON text that tells of a model's fault which leaves no honest answer."""
    return error_body(explained(fault), status=502, code=fault_code(fault))


def model_fault_reply(fault: ModelFault) -> Reply:
    """The whole answer that tells of a model's fault: 502, for the fault lies behind the server."""
    return Reply(status=502, body=model_fault_body(fault))
