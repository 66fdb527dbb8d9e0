"""From an application to a listening process: one socket, one uvicorn, a short goodbye."""

import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from hilt.conversation import InvalidRequest, Unavailable
from hilt.server.security import is_loopback
from hilt.settings import ServerOptions

BACKLOG = 2048
# Longer than the idle time of common clients' pools, so that it's they who drop idle connections.
KEEP_ALIVE_S = 75
GOODBYE_S = 2
_PORTS = range(65536)


def listen(options: ServerOptions) -> socket.socket:
    """A socket that takes connections from now on, before anything answers them.

    Raises Unavailable where the address can't be had, and InvalidRequest where the port is none, or where other
    machines could reach the server and no API key is set.
    """
    if options.api_key is None and not is_loopback(options.host):
        raise InvalidRequest(
            f"Listening on {options.host} lets other machines in; set an API key first, or listen on 127.0.0.1.",
            param="host",
        )
    if options.port not in _PORTS:
        raise InvalidRequest(f"{options.port} is no port; choose one from 0 (any free one) to 65535.", param="port")
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, number, _, address = found[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        raise Unavailable(f"Can't listen on {options.host}, port {options.port}: {error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Can't listen on {options.host}, port {options.port}: {error}. Another server may be there; choose"
            " another port, or 0 for any free one."
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The address to give to clients, such as `http://127.0.0.1:11435`."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def http_server(app: ASGIApp) -> uvicorn.Server:
    """A server to run on the sockets of `listen`; setting its `should_exit` ends it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GOODBYE_S,
            access_log=False,
            log_config=None,
            log_level="warning",
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
        )
    )


def serve(app: ASGIApp, options: ServerOptions, *, on_listening: Callable[[str], None]) -> None:
    """Serve until the process is told to stop by SIGINT or SIGTERM; then return, so that the caller can tidy up.

    `on_listening` is given the address once connections are taken. Only for the main thread, which gets the signals.
    Raises what `listen` raises.
    """
    with listen(options) as listener:
        on_listening(url_of(listener))
        # uvicorn says goodbye and then raises the signal again. By default SIGTERM would end the process there, before
        # open streams got their last event and the caller could close the model.
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with suppress(KeyboardInterrupt):
                http_server(app).run(sockets=[listener])
        finally:
            signal.signal(signal.SIGTERM, previous)
