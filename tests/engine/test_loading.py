"""Folders become models, or a clear refusal; nothing in them is ever run."""

import json
import pickle
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from hilt.conversation import InvalidRequest, Sampling
from hilt.engine.devices import Device
from hilt.engine.loading import LoadedModel, load
from tests.tiny import TURN_END, write_tiny_model

CPU = Device("cpu", "test")
GPU = Device("cuda", "test")
PROMPT = [[5, 17, 99, 3, 250]]


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that may be spoilt."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def configure(folder: Path, **values: Any) -> None:
    edit(folder / "config.json", **values)


def edit(file: Path, **values: Any) -> None:
    before = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(before | values))


def refusal(folder: Path) -> str:
    with pytest.raises(InvalidRequest) as refused:
        load(folder, CPU)
    message = refused.value.message
    assert str(folder) in message
    assert "\n" not in message
    assert len(message) < 600 + len(str(folder))
    return message


class Bomb:
    """Unpickled, it writes a file."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self._target, "boom"))


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")
    assert "no readable config.json" in refusal(tmp_path / "model")


@pytest.mark.parametrize("text", [None, "", "{", "[]", '"qwen3"', "\ud800"])
def test_a_config_that_cannot_be_read(folder: Path, text: str | None) -> None:
    if text is None:
        (folder / "config.json").unlink()
    else:
        (folder / "config.json").write_bytes(text.encode(errors="surrogatepass"))
    assert "no readable config.json" in refusal(folder)


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "holds no weights" in refusal(folder)


@pytest.mark.parametrize("size", [0, 4, 100, -100])
def test_truncated_weights(folder: Path, size: int) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:size])
    assert "can't be loaded" in refusal(folder)


def test_a_header_that_lies_about_its_length(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    assert "can't be loaded" in refusal(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": "no_such_architecture"},
        {"model_type": "../../qwen3"},
        {"model_type": 7},
        {"hidden_size": "wide"},
        {"hidden_size": 48},
        {"num_attention_heads": 0},
        {"num_hidden_layers": 5},
        {"num_hidden_layers": 1},
        {"quantization": {"bits": 3}},
        {"quantization_config": {"quant_method": "awq", "bits": 7}},
    ],
    ids=str,
)
def test_a_config_that_does_not_fit(folder: Path, values: dict[str, Any]) -> None:
    configure(folder, **values)
    assert "can't be loaded" in refusal(folder)


@pytest.mark.parametrize("missing", ["model_type", "hidden_size"])
def test_a_config_without_a_needed_field(folder: Path, missing: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config[missing]
    (folder / "config.json").write_text(json.dumps(config))
    assert missing in refusal(folder)


def test_a_broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    assert "can't be loaded" in refusal(folder)


@pytest.mark.parametrize("key", ["tool_parser_type", "chat_template_type"])
def test_a_module_that_is_not_there(folder: Path, key: str) -> None:
    edit(folder / "tokenizer_config.json", **{key: "no_such_module"})
    assert "no_such_module" in refusal(folder)


def test_code_of_the_model_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "model.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    configure(folder, model_file="model.py")
    assert "its own code" in refusal(folder)
    assert not (tmp_path / "ran").exists()


def test_code_that_auto_map_names_is_not_run(folder: Path, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n"
    (folder / "own.py").write_text(code)
    named = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}
    configure(folder, auto_map=named)
    edit(folder / "tokenizer_config.json", auto_map=named)
    assert load(folder, CPU).vocabulary_size == 260
    edit(folder / "tokenizer_config.json", tokenizer_class="Own")
    with suppress(InvalidRequest):
        load(folder, CPU)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl", "model.safetensors", "model.npz"])
def test_pickled_weights_are_not_read(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps({"weight": Bomb(tmp_path / "ran")}))
    refusal(folder)
    assert not (tmp_path / "ran").exists()


def logits(loaded: LoadedModel) -> mx.array:
    return loaded.model(mx.array(PROMPT))


def dtypes(loaded: LoadedModel) -> set[mx.Dtype]:
    return {array.dtype for _, array in tree_flatten(loaded.model.parameters())}


def rewrite(folder: Path, model: nn.Module) -> None:
    mx.save_safetensors(
        str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())), metadata={"format": "mlx"}
    )


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16], ids=str)
def test_half_precision_becomes_float32_on_a_cpu(tiny_model: LoadedModel, folder: Path, dtype: mx.Dtype) -> None:
    halved = load(folder, GPU)
    halved.model.set_dtype(dtype)
    rewrite(folder, halved.model)
    assert dtypes(load(folder, GPU)) == {dtype}
    widened = load(folder, CPU)
    assert dtypes(widened) == {mx.float32}
    assert logits(widened).dtype == mx.float32
    assert mx.abs(logits(widened) - logits(tiny_model)).max().item() < 0.05 * mx.abs(logits(tiny_model)).max().item()


@pytest.mark.parametrize(("bits", "error"), [(8, 0.03), (4, 0.5)])
def test_quantised_weights_become_float32_on_a_cpu(
    tiny_model: LoadedModel, folder: Path, bits: int, error: float
) -> None:
    narrow = load(folder, GPU)
    nn.quantize(narrow.model, group_size=32, bits=bits)
    rewrite(folder, narrow.model)
    configure(folder, quantization={"group_size": 32, "bits": bits})
    kept = load(folder, GPU)
    assert mx.uint32 in dtypes(kept)
    widened = load(folder, CPU)
    assert dtypes(widened) == {mx.float32}
    assert mx.allclose(logits(widened), logits(kept), atol=1e-3, rtol=1e-3).item()
    scale = mx.abs(logits(tiny_model)).max().item()
    assert 0 < mx.abs(logits(widened) - logits(tiny_model)).max().item() < error * scale


def test_nothing_is_compiled_on_a_cpu(folder: Path) -> None:
    traced: list[int] = []

    def function(x: mx.array) -> mx.array:
        traced.append(1)
        return x + 1

    load(folder, CPU)
    compiled = mx.compile(function)
    mx.eval(compiled(mx.array(1)), compiled(mx.array(2)))
    assert len(traced) == 2


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        (None, Sampling(0.0, 1.0, 0)),
        ("{", Sampling(0.0, 1.0, 0)),
        ("[1]", Sampling(0.0, 1.0, 0)),
        ('{"temperature": 0.6}', Sampling(0.0, 1.0, 0)),
        ('{"do_sample": false, "temperature": 0.6}', Sampling(0.0, 1.0, 0)),
        ('{"do_sample": true}', Sampling(1.0, 1.0, 0)),
        ('{"do_sample": true, "temperature": 0.6, "top_p": 0.95, "top_k": 20}', Sampling(0.6, 0.95, 20)),
        ('{"do_sample": true, "temperature": null, "top_p": null, "top_k": null}', Sampling(1.0, 1.0, 0)),
        ('{"do_sample": true, "temperature": "hot", "top_p": [], "top_k": {}}', Sampling(1.0, 1.0, 0)),
        ('{"do_sample": true, "temperature": -1, "top_p": 0, "top_k": -3}', Sampling(1.0, 1.0, 0)),
        ('{"do_sample": true, "temperature": NaN, "top_p": Infinity, "top_k": Infinity}', Sampling(1.0, 1.0, 0)),
    ],
)
def test_the_makers_sampling_is_the_default(folder: Path, generation: str | None, expected: Sampling) -> None:
    if generation is not None:
        (folder / "generation_config.json").write_text(generation)
    if generation == "[1]":
        assert "can't be loaded" in refusal(folder)  # mlx-lm wants an object there
    else:
        assert load(folder, CPU).sampling == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"max_position_embeddings": 512}, 512),
        ({"max_position_embeddings": 512, "text_config": {"max_position_embeddings": 99}}, 99),
        ({"max_position_embeddings": 512, "text_config": "none"}, 512),
        ({"max_position_embeddings": 512, "n_positions": 256}, 512),
        ({"max_position_embeddings": 0}, 4096),
    ],
    ids=str,
)
def test_the_context_length(folder: Path, values: dict[str, Any], expected: int) -> None:
    configure(folder, **values)
    assert load(folder, CPU).context_length == expected


def test_the_context_length_by_its_older_name(tmp_path: Path) -> None:
    sizes = {"n_ctx": 256, "n_positions": 256, "n_embd": 64, "n_head": 4, "n_layer": 1, "layer_norm_epsilon": 1e-5}
    folder = write_tiny_model(tmp_path / "gpt2", model_type="gpt2", max_position_embeddings=None, **sizes)
    assert load(folder, CPU).context_length == 256


@pytest.mark.parametrize(
    ("config", "generation", "expected"),
    [
        ({}, None, {257}),
        ({"eos_token_id": [3, 4]}, None, {3, 4, 257}),
        ({"eos_token_id": 3}, {"eos_token_id": [5, 6]}, {5, 6, 257}),
        ({"eos_token_id": None, "text_config": {"eos_token_id": 9}}, None, {9, 257}),
        ({"eos_token_id": None}, None, {257}),
        ({"eos_token_id": 0, "text_config": {"eos_token_id": 9}}, None, {0, 257}),
    ],
    ids=str,
)
def test_the_ends_of_a_turn(
    folder: Path, config: dict[str, Any], generation: dict[str, Any] | None, expected: set[int]
) -> None:
    configure(folder, **config)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    loaded = load(folder, CPU)
    assert loaded.tokenizer.eos_token_ids == expected
    assert loaded.tokenizer.encode(TURN_END, add_special_tokens=False) == [257]
