"""HTTP: the only room that knows Starlette and uvicorn, and the only one that turns errors into statuses."""

from hilt.server.app import create_app
from hilt.server.serving import http_server, listen, serve, url_of

__all__ = ["create_app", "http_server", "listen", "serve", "url_of"]
