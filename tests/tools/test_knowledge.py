"""Documents are read for what they are, cut where they part, and taken in one by one, whatever lies between them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.conversation import Unavailable
from hilt.tools.builtin.knowledge import Ingested, add_text, ingest, search, sources
from hilt.tools.builtin.knowledge.chunking import MAX_CHARS, OVERLAP_CHARS, passages
from hilt.tools.builtin.knowledge.parsing import parse_html, parse_pdf
from hilt.tools.builtin.knowledge.reading import Document, Unread, heading, kind_of, read_document
from hilt.tools.builtin.knowledge.store import Store
from tests.tools.knowledge import add, open_base, outcomes, pdf

HTML = b"""<!doctype html><html><head><title>Caf\xc3\xa9 &amp; Bar</title><script>secret()</script></head><body>
<nav><a href="/">Home</a></nav><article><h1>Our menu</h1><p>We serve excellent coffee from eight in the morning until
late at night. Bring your friends and enjoy a good evening with live music on Fridays.</p><h2>Opening hours</h2>
<p>Monday to Friday from eight to six. On Saturdays the bar opens at noon and closes at midnight; the kitchen closes two
hours earlier.</p></article></body></html>"""
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.txt", b"plain words", "text"),
        ("a.md", b"# Title\n\nwords", "markdown"),
        ("README", b"# Title\n\nwords", "markdown"),
        ("notes.txt", b"\n## Part\nwords", "markdown"),
        ("run.py", b"# a comment\nprint(1)\n", "text"),
        ("page.html", b"<p>words", "html"),
        ("page.txt", HTML, "html"),
        ("page", b"<?xml version='1.0'?>\n<!-- x -->\n<html><body>words</body></html>", "html"),
        ("a.txt", pdf("words"), "pdf"),
        ("a.pdf", b"no PDF at all", "text"),
        ("utf16.txt", "größer".encode("utf-16"), "text"),
        ("latin.txt", "größer".encode("latin-1"), "text"),
        ("a.txt", PNG, None),
        ("a.md", b"words\0words", None),
        ("a.txt", bytes(range(1, 9)) * 50, None),
        ("a.txt", b"", None),
        ("a.txt", b" \n\t", None),
    ],
)
def test_content_tells_the_kind_before_the_name(name: str, content: bytes, kind: str | None) -> None:
    found = kind_of(name, content)
    assert (None if isinstance(found, Unread) else found) == kind


@pytest.mark.parametrize(
    ("name", "content", "title", "pages"),
    [
        ("a.txt", "größer".encode(), "a.txt", ("größer",)),
        ("a.txt", "größer".encode("utf-16"), "a.txt", ("größer",)),
        ("a.txt", "größer".encode("utf-8-sig"), "a.txt", ("größer",)),
        ("a.txt", "größer".encode("cp1252"), "a.txt", ("größer",)),
        ("a.md", b"intro\n\n# The  \x1b[31mGuide\xc2\x9b #\n\nwords", "The [31mGuide", None),
        (
            "a.pdf",
            pdf("First page", "Second page", title="Annual report"),
            "Annual report",
            ("First page", "Second page"),
        ),
        ("a.pdf", pdf("First page"), "a.pdf", ("First page",)),
    ],
)
def test_text_and_title_are_read(name: str, content: bytes, title: str, pages: tuple[str, ...] | None) -> None:
    document = read_document(name, content, os.environ)
    assert isinstance(document, Document)
    assert document.title == title
    if pages is not None:
        assert document.pages == pages


def test_html_keeps_title_headings_and_text_and_nothing_that_runs() -> None:
    document = read_document("page.html", HTML, os.environ)
    assert isinstance(document, Document)
    assert document.title == "Café & Bar"
    assert "secret" not in document.pages[0]
    found = passages(document)
    assert [passage.fragment for passage in found] == ["#Our menu", "#Opening hours"]
    assert "On Saturdays the bar opens at noon" in found[1].text


@pytest.mark.parametrize(
    "page", [b"<html><body><p>just four words here</body></html>", b"<html><b>just four words here"]
)
def test_html_without_a_main_part_is_read_as_plain_text(page: bytes) -> None:
    document = read_document("page.html", page, os.environ)
    assert isinstance(document, Document)
    assert "just four words here" in document.pages[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.pdf", pdf("words")[:40]),
        ("junk.pdf", b"%PDF-1.4\n" + b"junk " * 200),
        ("loop.pdf", pdf("words").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")),
    ],
)
def test_a_broken_file_is_told_as_broken(name: str, content: bytes) -> None:
    read = read_document(name, content, os.environ)
    assert isinstance(read, Unread)
    assert read.reason


def test_a_parser_that_takes_too_long_is_killed() -> None:
    read = read_document("a.pdf", pdf("words"), os.environ, timeout_s=0.0)
    assert read == Unread("reading it takes longer than 0 s", broken=True)


def test_the_parser_sees_nothing_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}
    popen = subprocess.Popen

    def watched(*arguments: object, env: dict[str, str], **rest: object) -> "subprocess.Popen[bytes]":
        given.update(env)
        return popen(*arguments, env=env, **rest)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", watched)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "API_KEY": "canary", "LD_PRELOAD": "canary"}
    assert isinstance(read_document("a.pdf", pdf("words"), environment), Document)
    assert set(given) == {"PATH", "LC_ALL", "PYTHONIOENCODING"}


SOUND = pdf("First page", "Second page", title="Annual report")


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.binary(max_size=6)), max_size=6), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_a_spoilt_pdf_is_read_or_told(spoilt: list[tuple[int, bytes]], cut: int) -> None:
    content = bytearray(SOUND)
    for place, other in spoilt:
        content[place : place + len(other)] = other
    parsed = parse_pdf(bytes(content[: len(content) - cut]))
    assert parsed.get("error") or isinstance(parsed["pages"], list)


@given(st.binary(max_size=300) | st.text(st.sampled_from("<>/abpdiv =\"'&;#x!-[]"), max_size=200).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_any_bytes_as_html_are_read_or_told(content: bytes) -> None:
    parsed = parse_html(content)
    assert parsed.get("error") or all(isinstance(page, str) for page in parsed["pages"])


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-16")))
@settings(deadline=None)
def test_any_bytes_are_text_or_told(content: bytes) -> None:
    if kind_of("a.txt", content) in ("text", "markdown"):
        read = read_document("a.txt", content, {})
        assert isinstance(read, Unread) or not set(map(chr, range(9))) & set("".join(read.pages))


# Passages

GUIDE = """Intro before any heading.

# Guide

Welcome.

## Install

Run the installer.

```sh
# not a heading
make
```

Setext part
-----------

Words below.

## Empty

### Deep

Deep words.

## Last
"""


def test_markdown_is_cut_at_its_headings() -> None:
    found = passages(Document("Guide", "markdown", (GUIDE,)))
    assert [(passage.heading, passage.fragment) for passage in found] == [
        ("", " line 1"),
        ("Guide", "#Guide"),
        ("Guide > Install", "#Install"),
        ("Guide > Setext part", "#Setext part"),
        ("Guide > Empty > Deep", "#Deep"),
        ("Guide > Last", "#Last"),
    ]
    assert "# not a heading" in found[2].text


def test_pages_and_lines_are_kept() -> None:
    pages = passages(Document("Report", "pdf", ("One.", "", "Three.")))
    assert [(passage.text, passage.fragment) for passage in pages] == [("One.", " p. 1"), ("Three.", " p. 3")]
    lines = "\n".join(f"line number {number} of a long file" for number in range(1, 111))
    cut = passages(Document("a.py", "text", (lines,)))
    assert cut[0].fragment.startswith(" lines 1-")
    assert cut[-1].fragment.endswith("-110")


def test_a_passage_begins_with_the_end_of_the_one_before() -> None:
    sentences = " ".join(f"This is sentence number {number}." for number in range(100))
    first, second, *_ = passages(Document("a", "text", (sentences,)))
    begun = second.text[: second.text.index(".") + 1]
    assert begun in first.text


TEXTS = st.text(
    st.one_of(st.sampled_from("ab .!?\n\n\n#-=`>。漢字é😀\t\x85\u2028\x0c"), st.characters(codec="utf-8")),
    max_size=4000,
) | st.lists(st.sampled_from(["# H", "## I", "words. " * 90, "x" * 2500, "", "```", "---"]), max_size=12).map("\n".join)


@given(TEXTS, st.sampled_from(["text", "markdown", "html", "pdf"]))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_and_nothing_is_too_long(text: str, kind: str) -> None:
    found = passages(Document("T", kind, (text,)))  # type: ignore[arg-type]
    said = "".join("".join(passage.text + passage.heading for passage in found).split())
    if kind in ("text", "pdf"):
        assert set(text.split()) <= set(" ".join(passage.text for passage in found).split()) | {
            word for word in text.split() if len(word) > MAX_CHARS or "。" in word or "！" in word or "？" in word
        }
    assert set("".join(text.split())) - set("#-=`~ ") <= set(said) | set("#-=`~ ")
    assert all(passage.text.strip() for passage in found)
    assert all(len(passage.text) <= MAX_CHARS + OVERLAP_CHARS + 2 for passage in found)


@pytest.mark.parametrize(
    "content",
    [
        b"<!--a-->" * 1000 + b"words",
        b"<?xml " * 1400 + b"words",
        b"# " + b"\t" * 300_000 + b"words",
        b"# words" + b" #" * 200_000 + b"!",
        b"." * 300_000 + b" words",
        b". " * 300_000 + b"words",
        b'."' * 300_000 + b"words",
        b"words" * 100_000,
        b"`" * 200_000 + b"\nwords\n" + b"#" * 200_000,
        b"words\n---\n" * 20_000,
    ],
    ids=range(10),
)
def test_a_text_made_to_keep_its_reader_busy_is_read(content: bytes) -> None:
    document = read_document("a.md", content, os.environ)
    assert isinstance(document, Document)
    assert any("words" in passage.text for passage in passages(document))


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("# Title", (1, "Title")),
        ("   ###### Deep ######  ", (6, "Deep")),
        ("# C#", (1, "C#")),
        ("## One # two ##", (2, "One # two")),
        ("#no", None),
        ("#", None),
        ("# ##", None),
        ("    # code", None),
        ("####### seven", None),
    ],
)
def test_headings_of_markdown(line: str, read: tuple[int, str] | None) -> None:
    assert heading(line) == read


# Taking in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something of everything."""
    folder = tmp_path / "docs"
    (folder / "inner").mkdir(parents=True)
    for hidden in (".git", "node_modules", "inner/.hidden"):
        (folder / hidden).mkdir()
        (folder / hidden / "a.txt").write_text("never read")
    (folder / "guide.md").write_text(GUIDE)
    (folder / "inner" / "report.pdf").write_bytes(pdf("Revenue grew.", "Costs fell."))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (folder / "picture.txt").write_bytes(PNG)
    (folder / "large.txt").write_text("words " * 1000)
    (folder / ".env").write_text("API_KEY=canary")
    (tmp_path / "outside.txt").write_text("outside secret")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return folder


def test_a_folder_is_taken_in_with_a_report_on_each(folder: Path, tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "base" / "k.sqlite3", max_file_bytes=5000)
    reports = add(knowledge, folder)
    assert outcomes(reports, folder) == {
        ".git": "skipped",
        ".env": "skipped",
        "node_modules": "skipped",
        "inner/.hidden": "skipped",
        "link.txt": "skipped",
        "linked": "skipped",
        "pipe": "skipped",
        "picture.txt": "skipped",
        "large.txt": "skipped",
        "broken.pdf": "failed",
        "guide.md": "added",
        "inner/report.pdf": "added",
    }
    assert [report.number for report in reports] == list(range(1, len(reports) + 1))
    assert {report.total for report in reports} == {len(reports)}
    assert all(report.reason for report in reports if report.outcome in ("skipped", "failed"))
    assert [Path(source.name).name for source in sources(knowledge.store)] == ["guide.md", "report.pdf"]
    assert not search(knowledge.store, "outside secret canary never").passages


def test_places_say_where_a_passage_is_from(folder: Path, tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "k.sqlite3")
    add(knowledge, folder)
    assert search(knowledge.store, "run the installer").passages[0].place == f"{folder}/guide.md#Install"
    assert search(knowledge.store, "costs").passages[0].place == f"{folder}/inner/report.pdf p. 2"


def test_adding_again_follows_the_folder(folder: Path, tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "k.sqlite3")
    add(knowledge, folder)
    (folder / "guide.md").write_text("# Guide\n\nAll is new.")
    (folder / "inner" / "report.pdf").unlink()
    (folder / "large.txt").write_bytes(PNG)
    (folder / "new.txt").write_text("fresh words")
    now = outcomes(add(knowledge, folder), folder)
    assert now["guide.md"] == "replaced"
    assert now["inner/report.pdf"] == "removed"
    assert now["large.txt"] == "skipped"
    assert now["new.txt"] == "added"
    assert outcomes(add(knowledge, folder), folder)["new.txt"] == "unchanged"
    assert [Path(source.name).name for source in sources(knowledge.store)] == ["guide.md", "new.txt"]
    assert not search(knowledge.store, "installer").passages


def test_what_breaks_later_keeps_what_was_known(tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "k.sqlite3")
    file = tmp_path / "report.pdf"
    file.write_bytes(pdf("Revenue grew."))
    assert [report.outcome for report in add(knowledge, file)] == ["added"]
    file.write_bytes(b"%PDF-1.4 half written")
    assert [report.outcome for report in add(knowledge, file)] == ["failed"]
    assert search(knowledge.store, "revenue").passages


def test_only_the_folder_that_is_added_loses_what_is_gone(tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "k.sqlite3")
    for name in ("a", "ab"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(f"words of {name}")
        add(knowledge, tmp_path / name)
        (tmp_path / name / "x.txt").unlink()
    add_text(knowledge, "kept", f"{tmp_path}/a/text")
    assert outcomes(add(knowledge, tmp_path / "a"), tmp_path) == {"a/x.txt": "removed"}
    assert [source.title for source in sources(knowledge.store)] == ["x.txt", f"{tmp_path}/a/text"]


def test_a_missing_path_and_a_strange_name_stop_nothing(tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "k.sqlite3")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a\nb\x1b.txt").write_text("odd name")
    Path(os.fsdecode(os.fsencode(tmp_path / "docs") + b"/\xff.txt")).write_text("no UTF-8")
    reports = list(ingest(knowledge, [tmp_path / "gone", tmp_path / "nul\0", tmp_path / "docs"]))
    assert sorted(report.outcome for report in reports) == ["added", "failed", "failed", "failed"]


def test_interrupted_ingestion_keeps_what_was_reported(folder: Path, tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "k.sqlite3")
    done: list[Ingested] = []
    for report in (reports := ingest(knowledge, [folder])):
        done.append(report)
        if report.outcome == "added":
            reports.close()
    kept = [source.name for source in sources(knowledge.store)]
    assert kept == [report.source for report in done if report.outcome == "added"]
    add(knowledge, folder)
    assert len(sources(knowledge.store)) == 3


def test_a_killed_process_leaves_a_sound_base(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from hilt.tools.builtin.knowledge import ingest
from hilt.tools.builtin.knowledge import store
from tests.tools.knowledge import open_base
inner = store._index
def dying(*arguments):
    inner(*arguments)
    if "two" in arguments[3].text:
        os._exit(9)
store._index = dying
list(ingest(open_base(Path(sys.argv[1])), [Path(sys.argv[2])]))
"""
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("one", "two", "zed"):
        (docs / f"{name}.txt").write_text(f"words of {name}")
    base = tmp_path / "k.sqlite3"
    done = subprocess.run(
        [sys.executable, "-c", program, str(base), str(docs)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 9
    knowledge = open_base(base)
    assert [Path(source.name).name for source in sources(knowledge.store)] == ["one.txt"]
    assert set(outcomes(add(knowledge, docs), docs).values()) == {"unchanged", "added"}


def test_several_processes_read_while_one_writes(tmp_path: Path) -> None:
    """Readers see every source whole or not at all, and nobody is told that the base is locked."""
    reader = """
import sys
from pathlib import Path
from hilt.tools.builtin.knowledge import search, sources
from tests.tools.knowledge import open_base
store = open_base(Path(sys.argv[1])).store
while not any(one.title == "last" for one in sources(store)):
    assert all(one.passages == 3 for one in sources(store) if one.title == "many"), "half a source"
    search(store, "words of pages")
"""
    base = tmp_path / "k.sqlite3"
    knowledge = open_base(base)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    readers = [subprocess.Popen([sys.executable, "-c", reader, str(base)], env=environment) for _ in range(2)]
    file = tmp_path / "many.md"
    for number in range(20):
        file.write_text("# many\n\n" + "".join(f"## part {part}\n\nwords {number} of pages\n\n" for part in range(3)))
        assert [report.outcome for report in add(knowledge, file)] == ["added" if not number else "replaced"]
    add_text(knowledge, "the end", "last")
    assert [process.wait(timeout=60) for process in readers] == [0, 0]


def test_several_processes_may_add_at_once(tmp_path: Path) -> None:
    """All begin with no base at all; each adds a file of its own and one that all add."""
    writer = """
import sys
from pathlib import Path
from tests.tools.knowledge import add, open_base
folder, number = Path(sys.argv[1]), sys.argv[2]
for turn in range(5):
    (folder / f"{number}.txt").write_text(f"words of {number} in turn {turn}")
    reports = add(open_base(folder / "k.sqlite3"), folder / f"{number}.txt", folder / "shared.txt")
    assert all(report.outcome != "failed" for report in reports), reports
"""
    (tmp_path / "shared.txt").write_text("shared words")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [
        subprocess.Popen([sys.executable, "-c", writer, str(tmp_path), str(number)], env=environment)
        for number in range(4)
    ]
    assert [process.wait(timeout=120) for process in writers] == [0] * 4
    store = open_base(tmp_path / "k.sqlite3").store
    assert [Path(one.name).stem for one in sources(store)] == ["0", "1", "2", "3", "shared"]
    assert len(search(store, "turn", 20).passages) == 4


@pytest.mark.parametrize(
    "content", [b"not a database at all, only some text " * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_base_is_told_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    base = tmp_path / "k.sqlite3"
    base.write_bytes(content)
    knowledge = open_base(base)
    for use in (
        lambda: search(knowledge.store, "words"),
        lambda: sources(knowledge.store),
        lambda: add_text(knowledge, "words", "title"),
    ):
        with pytest.raises(Unavailable, match=r"k\.sqlite3"):
            use()
    assert base.read_bytes() == content


def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    import sqlite3

    base = tmp_path / "k.sqlite3"
    other = sqlite3.connect(base)
    other.execute("CREATE TABLE mine (x)")
    other.commit()
    other.close()
    before = base.read_bytes()
    with pytest.raises(Unavailable, match="another program"):
        add_text(open_base(base), "words", "title")
    assert base.read_bytes() == before


def test_looking_makes_no_file(tmp_path: Path) -> None:
    store: Store = open_base(tmp_path / "inner" / "k.sqlite3").store
    assert (search(store, "words").passages, sources(store)) == ((), ())
    assert list(tmp_path.iterdir()) == []
