"""Which way a model is given tools: by its own means, or by a protocol in the prompt."""

from typing import Literal, TypeAlias

from msgspec import Struct

from hilt.dialects import CATALOG, Dialect
from hilt.settings import RoutingOptions

Way: TypeAlias = Literal["native", "text"]


class Refusal(Struct, frozen=True):
    """The model can't be given tools as the options want it; `reason` says why and what to do."""

    reason: str


def route(model: str, has_native: bool, options: RoutingOptions) -> Way | Refusal:
    """The way for the model of that name, which has means of its own for tools or not."""
    wanted = options.models.get(model, options.tools)
    if wanted == "native" and not has_native:
        return Refusal(
            f"The model {model!r} has no means of its own for tools, and the routing asks for them. Choose `auto` or"
            " `text` for it, or take another model."
        )
    if wanted == "text" or not has_native:
        if options.local:
            return "text"
        return Refusal(
            f"The model {model!r} can be given tools only by a protocol in the prompt, and the routing has `local`"
            " switched off. Switch it on, or take a model with tools of its own."
        )
    return "native"


def taught_dialect(options: RoutingOptions) -> Dialect:
    """The dialect that a model is taught which goes the text way."""
    return CATALOG[options.prompt_style]
