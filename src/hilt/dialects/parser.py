"""The one machine that turns a model's text into events, for every dialect, however the text is cut.

`Parser.feed` returns what no later text can change; `Parser.finish` decides the rest. Every character of the reply
ends in content, in thinking, in a call, in the raw text of a rejected call, or is framing: the marks themselves and
the white space that a dialect puts around a call or a thought.
"""

from collections.abc import Callable, Sequence

from hilt.conversation import FinishReason, ToolSpec
from hilt.dialects.beginnings import Opening, openings
from hilt.dialects.begun import begun_by, thought_marks
from hilt.dialects.block import BlockReader
from hilt.dialects.channels import Header, read_header
from hilt.dialects.confirming import confirm, follows, name_ahead
from hilt.dialects.cursor import LOOK_AHEAD, Cursor, Literals, Reading, TextEnded, find, literals, skip_copy, standing
from hilt.dialects.event_log import SPACE, EventLog, ParserEvent, Prose
from hilt.dialects.final_answer import begins_final, read_final
from hilt.dialects.open_call import OpenCall
from hilt.dialects.spec import NO_MARKS, Dialect

_SENTENCE_ENDS = (".", "!", "?", ":")
_INSIDE = ("[", "{", "(", ",", '"', "'", "`", '":')  # behind one of these an object is a part of something greater


class Parser:
    """Reads one reply.

    `tools` are the tools that were offered: None accepts any name, none at all means that no calls are looked for.
    `prompt` is the end of what the model was given: where it ends in an open thought or call, so begins the reply.
    `new_id` mints the calls' ids. With `calls_allowed` False, calls are read and every one is rejected.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        tools: Sequence[ToolSpec] | None,
        new_id: Callable[[], str],
        prompt: str = "",
        calls_allowed: bool = True,
    ) -> None:
        thoughts = [span for span in (dialect.thought, *dialect.thoughts) if span is not None]
        self._dialect = dialect
        self._thought_opens = literals(tuple(dict.fromkeys(span.open for span in thoughts if span.open)))
        self._thought_closes = literals(tuple(dict.fromkeys(span.close for span in thoughts if span.close)))
        known = None if tools is None else {t.name: t for t in tools}
        self._known = known
        self._looks_for_calls = known != {}
        self._callable = known if calls_allowed else {}
        self._new_id = new_id
        self._cursor = Cursor()
        self._log = EventLog()
        begun = begun_by(dialect, prompt, calls=self._looks_for_calls)
        thinks = begun in thought_marks(dialect)
        self._prose = Prose(self._log, thinking=thinks)
        self._openings = openings(dialect) if self._looks_for_calls else {}
        self._block = BlockReader(self._cursor, dialect, known, self._new_call, self._count_finished, lambda: self._cut)
        self._speaks_to_tool = True
        self._begun = False
        self._behind_block = self._answering = False
        self._calls = self._finished_calls = 0
        self._cut = self._over = False
        self._bare = ["{", "```"] if dialect.final is not None else []
        self._bare += self._block.bare_marks if self._looks_for_calls else []
        repairs = ("missing_opener",) if dialect.bare_is_repair else ()
        self._bare_opening = Opening("", "bare", dialect.block if repairs else NO_MARKS, None, repairs)
        self._marks = {thinking: self._marks_that_count(thinking=thinking) for thinking in (False, True)}
        self._behind = literals(tuple(dict.fromkeys((*self._block.closers, *self._openings))))
        self._cursor.extend("" if thinks else begun)
        self._reading = self._read_reply()
        next(self._reading)

    @property
    def finished_calls(self) -> int:
        """How many calls have been read whole."""
        return self._finished_calls

    @property
    def finish_reason(self) -> FinishReason:
        """Why the turn ended, once it has: with calls only if one was read whole and none was cut off."""
        if self._cut or self._log.truncated:
            return "length"
        return "tool_calls" if self._finished_calls else "stop"

    @property
    def turn_over(self) -> bool:
        """Whether a mark behind a call has ended the turn, so that what comes behind it is made up by the model."""
        return self._over

    def feed(self, text: str) -> list[ParserEvent]:
        """Take in more of the reply; returns what is now certain."""
        self._cursor.extend(text)
        next(self._reading)
        return self._log.drain()

    def finish(self, *, cut: bool) -> list[ParserEvent]:
        """The reply is over: by the model's own choice, or `cut` by a limit."""
        self._cursor.ended = True
        self._cut = cut
        next(self._reading, None)
        return self._log.drain()

    def _new_call(self) -> OpenCall:
        self._calls += 1
        keeps = self._dialect.ids != "any"
        return OpenCall(self._log, self._calls - 1, self._new_id, self._callable, keeps_wire_id=keeps)

    def _count_finished(self) -> None:
        self._finished_calls += 1

    def _marks_that_count(self, *, thinking: bool) -> Literals:
        """The marks that mean something in prose."""
        dialect, channels = self._dialect, self._dialect.channels
        marks = [*self._openings, *dialect.frames, *dialect.ends]
        if self._looks_for_calls:
            marks += [span.open for span in dialect.sections]
        if thinking:
            marks += self._thought_closes.all
        elif dialect.thinks_anywhere:
            marks += self._thought_opens.all
        if dialect.answer is not None:
            marks += dialect.answer.close, dialect.answer.open if not thinking else ""
        if channels is not None:
            marks += channels.start, channels.channel, *channels.ends
        if not thinking:
            marks += self._bare
        return literals(tuple(dict.fromkeys(filter(None, marks))))

    # Prose

    def _read_reply(self) -> Reading[None]:
        cursor = self._cursor
        try:
            while True:
                if self._prose.at_start and (yield from self._read_beginning()):
                    continue
                free, mark = find(cursor, self._marks[self._prose.thinking], over=cursor.ended and not self._cut)
                self._put(cursor.take(free))
                if mark is not None:
                    yield from self._read_from_mark(mark)
                    continue
                if cursor.ended:
                    rest = cursor.take(cursor.available)
                    self._put("" if self._is_begun_mark(rest) else rest)
                yield from cursor.more()
        except TextEnded:
            self._prose.flush()

    def _is_begun_mark(self, text: str) -> bool:
        """Whether this is the beginning of a mark that was cut off, and no word."""
        return not text[:1].isalnum() and any(
            mark.startswith(text) for mark in self._marks[self._prose.thinking].all if mark not in self._bare
        )

    def _put(self, text: str) -> None:
        self._prose.put(text)
        if text and not self._prose.at_start:
            self._begun, self._behind_block = True, False

    def _frame(self, *, thinking: bool) -> None:
        """A mark stands here that is no content; what follows is thinking or content."""
        self._prose.frame()
        self._prose.thinking = thinking

    def _read_beginning(self) -> Reading[bool]:
        """Read what means something only where nothing has been said yet, if it is there."""
        dialect, cursor, prose = self._dialect, self._cursor, self._prose
        while cursor.available and cursor.buffer[cursor.position] in SPACE:
            prose.put(cursor.take(1))
        if not cursor.available:
            return False
        opened = yield from standing(cursor, self._thought_opens)
        if opened is not None:
            cursor.take(len(opened))
            self._frame(thinking=True)
            return True
        if prose.thinking:
            return False
        if dialect.answer is not None and (yield from cursor.looking_at(dialect.answer.open)):
            cursor.take(len(dialect.answer.open))
            self._answering = True
            self._frame(thinking=False)
            return True
        if not self._begun and self._thought_closes.all:
            self._begun = not cursor.ended
            closed = yield from standing(cursor, self._thought_closes)
            if closed is not None:
                cursor.take(len(closed))
                self._frame(thinking=False)
                return True
        if self._behind_block:
            mark = yield from standing(cursor, self._behind)
            if mark is None and self._cut and cursor.ends_inside(*self._block.closers):
                cursor.take(cursor.available)
                return True
            begun = cursor.available != len(mark or "") and cursor.ends_inside(*self._openings)
            if mark is not None and mark in self._block.closers and not begun:
                cursor.take(len(mark))
                self._frame(thinking=False)
                return True
        if dialect.channels is not None and (yield from self._at_recipient()):
            yield from self._read_header("")
            return True
        return dialect.echoed and (yield from self._read_echo())

    def _at_recipient(self) -> Reading[bool]:
        """Whether the reply begins inside of a message's header, because the prompt ends there."""
        if self._calls or self._log.told or self._behind_block:
            return False
        return bool((yield from confirm(self._cursor, 8, lambda ahead: follows(ahead, ["to="]))))

    def _read_echo(self) -> Reading[bool]:
        """Consume a tool's name that stands before a block's mark: of a tool that is known, or is named again there."""
        mark = self._dialect.block.open

        def echoes(ahead: str) -> bool | None:
            name, rest = name_ahead(ahead)
            verdict = bool(name) and (follows(rest, [mark], 0) if rest else None)
            if not verdict or name in (self._known or ()):
                return verdict
            again = "".join(rest.removeprefix(mark).split())
            wanted = f'{{"name":"{name}"'
            return again.startswith(wanted) or (None if wanted.startswith(again) else False)

        if mark not in self._openings or not (yield from confirm(self._cursor, 3 * LOOK_AHEAD, echoes)):
            return False
        name, _ = name_ahead(self._cursor.ahead())
        confirmed = yield from self._block.confirm(self._openings[mark], len(name) + len(mark))
        if confirmed or (confirmed is None and self._cut):
            self._cursor.take(len(name))
            return True
        return False

    def _read_from_mark(self, mark: str) -> Reading[None]:
        dialect, cursor, prose = self._dialect, self._cursor, self._prose
        channels = dialect.channels
        if prose.thinking and mark in self._thought_closes.all:
            cursor.take(len(mark))
            self._frame(thinking=False)
            self._begun = False
        elif dialect.thinks_anywhere and not prose.thinking and mark in self._thought_opens.all:
            cursor.take(len(mark))
            self._frame(thinking=True)
        elif channels is not None and mark in (channels.start, channels.channel):
            yield from self._read_header(mark)
        elif mark in dialect.frames or (channels is not None and mark in channels.ends):
            cursor.take(len(mark))
            self._frame(thinking=False)
        elif mark in self._openings:
            yield from self._read_opening(self._openings[mark])
        elif mark in dialect.ends:
            yield from self._read_end(mark)
        elif dialect.answer is not None and self._answering and mark in (dialect.answer.open, dialect.answer.close):
            cursor.take(len(mark))
            self._answering = mark == dialect.answer.open
            self._frame(thinking=False)
        elif any(mark == span.open for span in dialect.sections):
            yield from self._read_section(mark)
        elif mark in self._bare:
            yield from self._read_bare(mark)
        else:
            self._put(cursor.take(len(mark)))

    def _read_end(self, mark: str) -> Reading[None]:
        """Read a mark that ends a turn; text behind it shows that it was meant as text."""
        cursor = self._cursor
        if self._behind_block:
            cursor.take(len(mark))
            self._frame(thinking=False)
            self._over = True
            return
        verdict = yield from confirm(cursor, LOOK_AHEAD, lambda ahead: False if ahead.strip() else None, len(mark))
        cursor.take(len(mark))
        if verdict is None:
            self._frame(thinking=False)
        else:
            self._put(mark)

    def _read_section(self, mark: str) -> Reading[None]:
        cursor = self._cursor
        verdict = yield from confirm(cursor, LOOK_AHEAD, lambda a: follows(a, tuple(self._openings)), len(mark))
        cursor.take(len(mark))
        if verdict or (verdict is None and self._cut):
            self._prose.frame()
        else:
            self._put(mark)

    # Calls

    def _read_opening(self, opening: Opening) -> Reading[None]:
        cursor = self._cursor
        channels = self._dialect.channels
        allowed = channels is None or channels.body != "block" or self._speaks_to_tool
        if opening.kind == "payload" and self._dialect.blocks and self._prose.thinking:
            allowed = False  # an element without its block is quoted in a thought, not called
        confirmed = allowed and (yield from self._block.confirm(opening, len(opening.mark)))
        if confirmed or (confirmed is None and self._cut):
            self._prose.frame()
            cursor.recording = True
            cursor.take(len(opening.mark))
            yield from self._block.read(opening)
            closes = self._dialect.thought is not None and opening.span.close == self._dialect.thought.close
            self._frame(thinking=self._prose.thinking and not closes)
            if self._dialect.doubled and opening.span.close:
                yield from self._skip_double(opening)
            self._behind_block = True
            self._over = self._over or self._dialect.block_ends_turn
        else:
            self._put(cursor.take(len(opening.mark)))

    def _skip_double(self, opening: Opening) -> Reading[None]:
        """Consume what the last block held if it stands here once more, with its closing mark or at the reply's end."""
        close = opening.span.close
        body = "".join(self._block.raw).removeprefix(opening.mark).removesuffix(close).strip()
        yield from self._cursor.skip_space()
        self._put((yield from skip_copy(self._cursor, body, close, lambda: self._cut)))

    def _read_bare(self, mark: str) -> Reading[None]:
        """Read a block that has no mark, or an object that holds content, if one stands here."""
        cursor = self._cursor
        opens_line = self._prose.at_line_start or self._prose.last.endswith(_SENTENCE_ENDS)
        if self._dialect.bare == "line" and not opens_line:
            self._put(cursor.take(len(mark)))
            return
        if self._prose.last.endswith(_INSIDE) and not self._prose.at_line_start:
            self._put(cursor.take(len(mark)))
            return
        if self._dialect.final is not None and (yield from self._at_final()):
            yield from self._read_final(self._dialect.final[1])
            return
        if self._looks_for_calls and (yield from self._block.confirm_bare()):
            self._prose.frame()
            cursor.recording = True
            yield from self._block.read(self._bare_opening)
            self._prose.frame()
            self._behind_block = True
        else:
            self._put(cursor.take(len(mark)))

    def _at_final(self) -> Reading[bool]:
        assert self._dialect.final is not None
        kind = self._dialect.final[0]
        return bool((yield from confirm(self._cursor, LOOK_AHEAD, lambda ahead: begins_final(ahead, kind))))

    def _read_final(self, key: str) -> Reading[None]:
        """Read an object that holds content; what can't be read of it is content as it stands."""
        self._prose.frame()
        if (yield from read_final(self._cursor, key, self._put, lambda: self._cut)):
            self._prose.frame()

    # Messages with headers

    def _read_header(self, mark: str) -> Reading[None]:
        channels = self._dialect.channels
        assert channels is not None
        header = yield from read_header(self._cursor, channels, mark, lambda: self._cut)
        if header == "ended" and mark:
            self._cursor.take(len(mark))
            self._frame(thinking=False)
            return
        if header is None or header == "ended":
            self._put(self._cursor.take(max(1, len(mark))))
            return
        yield from self._follow_header(header)

    def _follow_header(self, header: Header) -> Reading[None]:
        channels, cursor = self._dialect.channels, self._cursor
        assert channels is not None
        self._speaks_to_tool = header.tool is not None
        self._behind_block = False
        self._frame(thinking=header.thinking)
        if header.tool is None or channels.body == "block" or not self._looks_for_calls:
            return
        cursor.recording = True
        cursor.recorded.append(header.text)
        tool = header.tool if header.text.endswith(channels.message) else None
        end = yield from self._block.read_message(tool, channels.body, channels.ends)
        self._over = self._over or end == channels.ends[-1]
        self._frame(thinking=False)
        self._behind_block = True
