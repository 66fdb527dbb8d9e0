"""From trained weights to a folder that `mlx_lm.load` reads: config, weights (16 or 8 bits), tokenizer, template."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer

from hilt.training.starter.recipe import NetworkShape, Recipe
from hilt.training.starter.tokenizer import END, PAD, save

GROUP_SIZE = 64


def model_config(shape: NetworkShape, tokenizer: Tokenizer) -> dict[str, Any]:
    """config.json without quantisation."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        **asdict(shape),
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.token_to_id(END),
        "pad_token_id": tokenizer.token_to_id(PAD),
    }


def generation_config(tokenizer: Tokenizer) -> dict[str, Any]:
    """generation_config.json: greedy, to the end of the turn."""
    return {"do_sample": False, "eos_token_id": tokenizer.token_to_id(END), "pad_token_id": tokenizer.token_to_id(PAD)}


def write_folder(recipe: Recipe, weights: Path, tokenizer_folder: Path, out: Path, bits: int) -> None:
    """Write the folder `out` from the weights' parts and the tokenizer's folder; `bits` is 16 or 8.

    With 8, every matrix is quantised in groups of 64 as mlx-lm does it. ValueError if the weights don't fit the recipe.
    """
    import mlx.core as mx
    from mlx import nn
    from mlx.utils import tree_flatten  # pyright: ignore[reportUnknownVariableType]
    from mlx_lm.models import qwen3

    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    save(tokenizer, out)
    config = model_config(recipe.network, tokenizer)
    arguments = cast("Any", qwen3.ModelArgs).from_dict(config)
    model = cast("Any", qwen3.Model(arguments))
    parts: dict[str, Any] = {}
    for path in sorted(weights.glob("model-*.safetensors")):
        parts.update(cast("dict[str, Any]", mx.load(str(path))))
    model.load_weights(list(parts.items()), strict=True)
    if bits != 16:
        cast("Any", nn).quantize(model, group_size=GROUP_SIZE, bits=bits)
        config["quantization"] = {"group_size": GROUP_SIZE, "bits": bits, "mode": "affine"}
    flat = dict(cast("list[tuple[str, Any]]", tree_flatten(model.parameters())))
    cast("Any", mx).save_safetensors(str(out / "model.safetensors"), flat, metadata={"format": "mlx"})
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (out / "generation_config.json").write_text(json.dumps(generation_config(tokenizer), indent=2) + "\n")
