"""Models that may say anything: random weights behind a tokenizer, to try what holds whatever a model says."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# mlx-lm's models have no types of their own.

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.utils import load_tokenizer

from hilt.conversation import Sampling
from hilt.engine.devices import Device
from hilt.engine.loading import LoadedModel, Tokenizer
from hilt.engine.trials import LlamaSize, random_llama


class Leaning(nn.Module):
    """A model whose scores of some tokens are raised, by so much each."""

    def __init__(self, model: nn.Module, by: mx.array) -> None:
        super().__init__()
        self.model = model
        self._by = by

    @property
    def layers(self) -> Any:
        """The layers, of which the engine makes caches."""
        return self.model.layers

    def __call__(self, inputs: mx.array, cache: Any = None) -> mx.array:
        return cast(Any, self.model)(inputs, cache=cache) + self._by


def random_model(
    folder: Path, size: LlamaSize, context_length: int, ends: list[int], leanings: Mapping[int, float], device: Device
) -> LoadedModel:
    """A random Llama of `size`, deterministic, with the tokenizer and the chat template in `folder`.

    `ends` are the tokens that end a turn; `leanings` are added to the scores of tokens. Must run on the thread that
    will run the model.
    """
    if not device.multiplies_any_type:
        mx.disable_compile()
    by = mx.zeros(size.vocabulary)
    if leanings:
        by = by.at[mx.array(list(leanings))].add(mx.array(list(leanings.values())))
    model = Leaning(random_llama(size), by)
    mx.eval(by)
    tokenizer = load_tokenizer(folder, {"trust_remote_code": False}, eos_token_ids=ends)
    return LoadedModel(model, cast(Tokenizer, tokenizer), context_length, size.vocabulary, Sampling(), "llama")
