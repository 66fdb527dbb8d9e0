"""From the names that users type to folders, or a clear refusal."""

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub._snapshot_download import TreeCacheEntry, write_tree_cache
from huggingface_hub.errors import LocalEntryNotFoundError

from hilt.conversation import NotFound, Unavailable
from hilt.store import STARTER, find_model, hub, names_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LONG = "x" * 100_000


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a folder `model` and a file `file` in it, and nothing of the hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("starter", True),
        ("model", True),
        ("./model", True),
        ("~/model", True),
        (".", True),
        ("..", True),
        ("mlx-community/Qwen3-4B-4bit", True),
        ("a/b", True),
        ("file", False),
        ("Starter", False),
        ("", False),
        (" ", False),
        ("hello", False),
        ("How much is 17 % of 2340?", False),
        ("read a/b please", False),
        ("a/b/c", False),
        ("a/", False),
        ("/b", False),
        ("../b", False),
        ("a/..", False),
        ("a/b\n", False),
        ("ü/b", False),
        ("~nobody-of-this-name what is this?", False),
        ("~nobody/x", False),
        ("a\0b", False),
        ("\0", False),
        ("\ud800", False),
        (LONG, False),
        ("a/" * 5000, False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_name_is_told_from_a_prompt(text: str, is_name: bool) -> None:
    assert names_model(text) is is_name


def test_the_starter_is_in_the_package() -> None:
    assert find_model(STARTER).parts[-2:] == ("hilt", "starter_model")


@pytest.mark.parametrize("name", ["model", "./model", "~/model", "model/../model"])
def test_a_folder_is_found(place: Path, name: str) -> None:
    assert find_model(name) == (place / "model").resolve()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "hello",
        "file",
        "./gone",
        "../a/b",
        "a/../b",
        "a\0b",
        "~nobody/x",
        LONG,
        f"{LONG}/{LONG}",
        "a--b/c",
        "a/b..c",
    ],
    ids=lambda name: repr(name)[:40],
)
def test_what_is_no_model_is_not_found(name: str) -> None:
    with pytest.raises(NotFound) as refused:
        find_model(name)
    assert (refused.value.param, refused.value.code) == ("model", "model_not_found")
    assert "name a folder, a model on the hub" in refused.value.message
    assert len(refused.value.message) < 400


def cached(place: Path, name: str, files: dict[str, str], *, listed: tuple[str, ...] = ()) -> Path:
    """Write a repository as the hub's library keeps it on disk; `listed` are the files that it ought to hold."""
    repository = place / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    for file, text in files.items():
        (snapshot / file).write_text(text)
    if listed:
        entry = TreeCacheEntry(size=1, blob_id="0" * 40, lfs_sha256=None, lfs_size=None, xet_hash=None)
        write_tree_cache(str(repository), COMMIT, dict.fromkeys(listed, entry))
    return snapshot


def test_a_model_that_was_fetched_before_needs_no_network(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = cached(place, "org/name", {"config.json": "{}"})
    monkeypatch.setattr(hub, "_fetch", lambda name: pytest.fail("the network was used"))
    assert find_model("org/name") == snapshot


def test_a_model_that_was_fetched_in_part_is_not_taken_for_whole(place: Path) -> None:
    cached(place, "org/name", {"config.json": "{}"}, listed=("config.json", "model.safetensors", "README.md"))
    with pytest.raises(Unavailable, match="can't be fetched from the hub now"):
        find_model("org/name")


def test_without_the_network_a_model_of_the_hub_is_unavailable() -> None:
    with pytest.raises(Unavailable) as refused:
        find_model("org/name")
    assert refused.value.param == "model"
    assert refused.value.message.startswith("org/name is not on this machine and can't be fetched from the hub now: ")
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LocalEntryNotFoundError("first line\nsecond line"), "first line"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("\n\n  \n"), "RuntimeError"),
        (ValueError(), "ValueError"),
    ],
    ids=repr,
)
def test_whatever_goes_wrong_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    def download(name: str, *, local_files_only: bool = False, **options: Any) -> str:
        raise LocalEntryNotFoundError("not here") if local_files_only else error

    monkeypatch.setattr(hub, "snapshot_download", download)
    with pytest.raises(Unavailable) as refused:
        find_model("org/name")
    assert refused.value.message.endswith(said)
    assert "\n" not in refused.value.message


def test_only_weights_settings_and_tokenizers_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def download(name: str, **options: Any) -> str:
        asked.append(options)
        if options.get("local_files_only"):
            raise LocalEntryNotFoundError("not here")
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert find_model("org/name") == tmp_path
    files = ["model.safetensors", "config.json", "chat_template.jinja", "own.py", "pytorch_model.bin", "model.pkl"]
    for options in asked:
        wanted = list(huggingface_hub.utils.filter_repo_objects(files, allow_patterns=options["allow_patterns"]))
        assert wanted == files[:3]
