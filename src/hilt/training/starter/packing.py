"""Fresh conversations packed end to end into rows of a fixed number of tokens, with the weight of each in the loss."""

import multiprocessing
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

from tokenizers import Tokenizer

from hilt.training.starter.conversations import conversations
from hilt.training.starter.rendering import rendered
from hilt.training.starter.tokenizer import CONTEXT, END, PAD, START

MAX_DOCUMENTS = 512


@dataclass(frozen=True)
class Pack:
    """A row of tokens, as bytes of arrays.

    `ids`, `targets` and `positions` (within the document) are uint16, one a token; `trained` (uint8) is 1 where the
    target is the model's own word, 2 where it is the prompt's, 0 at the end of a document; `starts` (int32) holds
    MAX_DOCUMENTS + 1 cumulative positions, the last ones repeated.
    """

    ids: bytes
    targets: bytes
    trained: bytes
    positions: bytes
    starts: bytes


@dataclass(frozen=True)
class Marks:
    """The token ids that tell whose turn it is."""

    start: int
    end: int
    assistant: int
    newline: int
    pad: int


def marks_of(tokenizer: Tokenizer) -> Marks:
    """The marks of a tokenizer. ValueError if one is not a single token."""
    ids: dict[str, int] = {}
    for text in (START, END, "assistant", "\n", PAD):
        encoded = tokenizer.encode(text, add_special_tokens=False).ids
        if len(encoded) != 1:
            raise ValueError(f"{text!r} is {len(encoded)} tokens")
        ids[text] = encoded[0]
    return Marks(ids[START], ids[END], ids["assistant"], ids["\n"], ids[PAD])


def own_words(ids: list[int], marks: Marks) -> bytearray:
    """1 for each token that the model itself writes, from behind `assistant` and newline to the end mark; else 2."""
    own = bytearray(b"\x02") * len(ids)
    at = 0
    while True:
        try:
            at = ids.index(marks.start, at)
        except ValueError:
            return own
        if ids[at + 1 : at + 3] == [marks.assistant, marks.newline]:
            end = ids.index(marks.end, at)
            own[at + 3 : end + 1] = b"\x01" * (end - at - 2)
            at = end
        at += 1


def packs(seed: int, tokenizer: Tokenizer, tokens: int, held_out: bool = False) -> Iterator[Pack]:
    """An endless stream of packs of `tokens` tokens, the same for the same seed. The last document of each is cut."""
    marks = marks_of(tokenizer)
    drawn = conversations(seed, held_out)
    ids: list[int] = []
    trained = bytearray()
    positions = array("H")
    starts = [0]
    while True:
        encoded = tokenizer.encode(rendered(next(drawn)), add_special_tokens=False).ids[:CONTEXT]
        if len(starts) > MAX_DOCUMENTS - tokens // CONTEXT - 1:
            encoded = [marks.pad] * CONTEXT
        own = (
            own_words([*encoded, marks.end], marks)[: len(encoded)]
            if encoded[-1] != marks.pad
            else bytearray(len(encoded))
        )
        room = tokens - len(ids)
        encoded, own = encoded[:room], own[:room]
        ids.extend(encoded)
        trained.extend(own[1:])
        trained.append(0)
        positions.extend(range(len(encoded)))
        starts.append(len(ids))
        if len(ids) == tokens:
            starts.extend([tokens] * (MAX_DOCUMENTS + 1 - len(starts)))
            targets = [*ids[1:], marks.pad]
            yield Pack(
                array("H", ids).tobytes(),
                array("H", targets).tobytes(),
                bytes(trained),
                positions.tobytes(),
                array("i", starts).tobytes(),
            )
            ids, trained, positions, starts = [], bytearray(), array("H"), [0]


def _work(seed: int, tokenizer_file: str, tokens: int, queue: "Queue[Pack]") -> None:
    tokenizer = Tokenizer.from_file(tokenizer_file)
    for pack in packs(seed, tokenizer, tokens):
        queue.put(pack)


class PackMill:
    """Processes that make packs ahead of the training; each has its own seed. Close it to end them."""

    def __init__(self, seed: int, tokenizer_file: Path, tokens: int, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Queue[Pack] = context.Queue(maxsize=workers * 4)
        self._processes = [
            context.Process(target=_work, args=(seed + at, str(tokenizer_file), tokens, self._queue), daemon=True)
            for at in range(workers)
        ]
        for process in self._processes:
            process.start()

    def take(self) -> Pack:
        """The next pack. RuntimeError if none comes for a minute, because the workers died."""
        import queue

        try:
            return self._queue.get(timeout=60)
        except queue.Empty:
            raise RuntimeError("no pack came for a minute; a worker must have failed") from None

    def waiting(self) -> int:
        """How many packs are ready."""
        return self._queue.qsize()

    def close(self) -> None:
        """End the workers."""
        for process in self._processes:
            process.terminate()
