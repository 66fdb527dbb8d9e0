"""The five ways in which a request can fail through us or its sender; a model's mistake is never one of them.

Only the server turns these into HTTP answers and only the CLI into exit codes.
"""


class HiltError(Exception):
    """Base of the five. `param` names the faulty field of the request, `code` is a stable word for programs."""

    status: int = 500
    code: str = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class InvalidRequest(HiltError):
    """The request can't be carried out as it was written; sending it again won't help."""

    status = 400
    code = "invalid_request"


class NotFound(HiltError):
    """The request names something that isn't here."""

    status = 404
    code = "not_found"


class Overloaded(HiltError):
    """Too much is waiting already; the same request may succeed later."""

    status = 429
    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(HiltError):
    """Something that the request needs isn't running or can't be reached."""

    status = 503
    code = "unavailable"


class Bug(HiltError):
    """A fault of ours; the message says which request it hit, and others go on."""

    status = 500
    code = "internal_error"
