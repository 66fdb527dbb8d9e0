"""A training recipe: every number that decides what comes out, read from one file."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NetworkShape:
    """The Qwen3 architecture's numbers, under the names that config.json gives them."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    rope_theta: float
    rms_norm_eps: float


@dataclass(frozen=True)
class TokenizerPlan:
    """How many conversations of which seed the tokenizer is trained on."""

    seed: int
    conversations: int


@dataclass(frozen=True)
class PretrainPlan:
    """How to pretrain.

    A step reads `packs_per_step` packs of `pack_tokens` tokens; rates are constant after the warm-up and fall to zero
    over the last `decay_fraction` of the steps; prompt tokens weigh `prompt_weight` in the loss.
    """

    seed: int
    workers: int
    pack_tokens: int
    packs_per_step: int
    prompt_weight: float
    muon_rate: float
    adamw_rate: float
    warmup_steps: int
    decay_fraction: float


@dataclass(frozen=True)
class EvaluatePlan:
    """How many requests of each kind are drawn, from which seed."""

    seed: int
    conversations: int


@dataclass(frozen=True)
class Recipe:
    """One reproducible model."""

    network: NetworkShape
    tokenizer: TokenizerPlan
    pretrain: PretrainPlan
    evaluate: EvaluatePlan


def read_recipe(path: Path) -> Recipe:
    """The recipe of a TOML file. TypeError if a number is missing or unknown."""
    with path.open("rb") as file:
        read = tomllib.load(file)
    return Recipe(
        network=NetworkShape(**read["network"]),
        tokenizer=TokenizerPlan(**read["tokenizer"]),
        pretrain=PretrainPlan(**read["pretrain"]),
        evaluate=EvaluatePlan(**read["evaluate"]),
    )
