"""The terms of requests to models that no grammar holds: read beside the event loop, and kept for known tools."""

import asyncio

import msgspec
from msgspec.structs import replace

from hilt.backends.recent import Recent
from hilt.backends.terms import FREE, Checked, Terms, is_free, prepared_tool, read_terms
from hilt.conversation import JsonSchema, Request, ToolSpec
from hilt.dialects import CATALOG, Dialect

KEPT_SCHEMAS_BYTES = 16 << 20  # counted in the JSON text of the schemas
AS_JSON = CATALOG["hermes"]  # any dialect that writes arguments as JSON


class Demanding:
    """Reads the terms of requests to one model, which writes its calls in a dialect."""

    def __init__(self, dialect: Dialect = AS_JSON) -> None:
        self._dialect = dialect
        self._tools: Recent[Checked] = Recent(KEPT_SCHEMAS_BYTES)

    async def terms(self, request: Request) -> Terms:
        """What the reply is checked against. Raises InvalidRequest, `param` naming the place, for what can't be used.

        `strict` is a demand on whoever samples; here every schema is checked alike.
        """
        if is_free(request):
            return FREE
        form = request.response_format
        lenient = replace(
            request,
            tools=tuple(replace(tool, strict=False) for tool in request.tools),
            response_format=replace(form, strict=False) if isinstance(form, JsonSchema) else form,
        )
        return await asyncio.to_thread(read_terms, lenient, self._prepared_tool)

    def _prepared_tool(self, tool: ToolSpec, where: str) -> Checked:
        key = msgspec.json.encode(tool.parameters)
        kept = self._tools.get(key)
        if kept is None:
            kept = prepared_tool(tool, where, self._dialect)
            self._tools.keep(key, kept, len(key))
        return kept
