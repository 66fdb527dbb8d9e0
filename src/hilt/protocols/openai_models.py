"""The bodies of OpenAI's `/v1/models`."""

from collections.abc import Iterable
from typing import Any

import msgspec

from hilt.protocols.replies import Reply


def model_reply(model_id: str, *, created_s: int) -> Reply:
    """One model. `created_s` is in seconds since 1970."""
    return Reply(status=200, body=msgspec.json.encode(_model(model_id, created_s)))


def models_reply(model_ids: Iterable[str], *, created_s: int) -> Reply:
    """All models that are served, in the order given."""
    listing = {"object": "list", "data": [_model(model_id, created_s) for model_id in model_ids]}
    return Reply(status=200, body=msgspec.json.encode(listing))


def _model(model_id: str, created_s: int) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": created_s, "owned_by": "hilt"}
