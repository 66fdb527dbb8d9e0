"""Models on other servers."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from hilt.assembly.places import new_call_id
from hilt.backends import Backend
from hilt.backends.routing import Refusal, route, taught_dialect
from hilt.conversation import InvalidRequest
from hilt.settings import Settings
from hilt.tools.egress import is_local


@contextmanager
def open_remote(
    url: str, model: str, api_key: str, way: Literal["auto", "native", "text", "completion"], settings: Settings
) -> Generator[Backend]:
    """The model of an OpenAI-compatible server at `url`, such as "http://127.0.0.1:8080/v1", until the block is left.

    `way` "auto" is what the routing says of the model, whose server is taken to have tools of its own; "completion" is
    for servers that only continue a text. Raises InvalidRequest where the routing forbids it.
    """
    import httpx2

    from hilt.backends.openai_http import Address
    from hilt.backends.remote import RemoteBackend, RemoteModel

    if settings.policy.local_only and not is_local(httpx2.URL(url).host):
        raise InvalidRequest(f"{url} is beyond this machine, and only local work is allowed")
    taken = route(model, has_native=True, options=settings.routing) if way == "auto" else way
    if isinstance(taken, Refusal):
        raise InvalidRequest(taken.reason)
    remote = RemoteModel(Address(url.rstrip("/"), api_key), model, way=taken, dialect=taught_dialect(settings.routing))
    # No connection is kept: each command has an event loop of its own, which no connection outlives.
    client = httpx2.AsyncClient(trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0))
    try:
        yield RemoteBackend(remote, client, new_call_id)
    finally:
        asyncio.run(client.aclose())
