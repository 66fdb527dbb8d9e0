"""Tools from the user's own files: what counts in them, and what is said of a file that can't be used."""

import sys
from pathlib import Path

import pytest

from hilt.conversation import InvalidRequest, NotFound
from hilt.tools.loading import load_tools

TOOL = '''
from hilt.tools import tool

@tool(effect="read")
def {name}(text: str) -> str:
    """Say it again."""
    return text
'''


def _file(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def _names(*paths: Path) -> list[str]:
    return [tool.name for tool in load_tools(paths)]


def test_all_tools_of_a_module_and_those_it_makes(tmp_path: Path) -> None:
    both = TOOL.format(name="one") + TOOL.format(name="two")
    maker = "\n\ndef make_tools():\n" + "\n".join(
        f"    {line}" for line in [*TOOL.format(name="three").splitlines(), "return (three, one)"]
    )
    assert _names(_file(tmp_path, "a.py", both + maker)) == ["one", "two", "three"]


def test_a_single_tool_may_be_returned_and_a_file_named_twice_counts_once(tmp_path: Path) -> None:
    text = TOOL.format(name="one") + "\n\ndef make_tools():\n    return one\n"
    file = _file(tmp_path, "a.py", text)
    assert _names(file, tmp_path, file) == ["one"]


def test_of_a_folder_every_file_that_is_no_test_and_not_hidden(tmp_path: Path) -> None:
    for name in ("b", "a"):
        _file(tmp_path, f"{name}.py", TOOL.format(name=name))
    for name in ("test_a.py", "conftest.py", "_kept.py", ".#a.py", "a.txt"):
        _file(tmp_path, name, "raise AssertionError('this is not to be loaded')")
    _file(tmp_path / "inner", "c.py", TOOL.format(name="c"))
    assert _names(tmp_path) == ["a", "b"]


def test_modules_beside_a_file_can_be_imported_and_hide_nothing(tmp_path: Path) -> None:
    _file(tmp_path, "_words_of_loading_test.py", "WORD = 'yes'\n")
    _file(tmp_path, "json.py", TOOL.format(name="json_tool"))
    _file(
        tmp_path,
        "a.py",
        "import json\nfrom _words_of_loading_test import WORD\njson.loads('1')\n" + TOOL.format(name="a"),
    )
    before = list(sys.path)
    assert _names(tmp_path) == ["a", "json_tool"]
    assert sys.path == before


def test_a_changed_file_is_read_anew_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = _file(tmp_path, "a.py", TOOL.format(name="one"))
    assert _names(file) == ["one"]
    _file(tmp_path, "a.py", TOOL.format(name="two"))
    assert _names(file) == ["two"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]


FAULTS = [
    ("def f(:\n", ":1: this is no Python"),
    ("\n\nx = 1 / 0\n", ":3: the file can't be loaded: ZeroDivisionError"),
    ("import nothing_of_this_name\n", ":1: the file can't be loaded: ModuleNotFoundError"),
    ("def f():\n    raise KeyError('a')\n\nf()\n", ":2: the file can't be loaded: KeyError"),
    ("raise SystemExit(3)\n", ":1: the file can't be loaded: SystemExit: 3"),
    ("x = 1\n", "there is no tool in it"),
    ("\0", "this is no Python"),
    ("def make_tools():\n    return 3\n", ":  make_tools() failed: TypeError"),
    ("def make_tools(folder):\n    return ()\n", "make_tools() failed: TypeError"),
    ("def make_tools():\n    pass\n    raise OSError('no disk')\n", ":3: make_tools() failed: OSError: no disk"),
    ("def make_tools():\n    return ()\n", "there is no tool in it"),
    ("def make_tools():\n    return ('a',)\n", "make_tools() returned 'str' among its tools"),
    ("make_tools = 3\n", "make_tools is no function"),
    (TOOL.format(name="a").replace('    """Say it again."""\n', ""), ":4: the file can't be loaded: TypeError"),
    (TOOL.format(name="a") + "b = a\na = 1\n" + TOOL.format(name="a"), "there is a tool named 'a' twice in it"),
    (TOOL.format(name="a").replace('"read"', '"read", isolation="process"'), "a process of its own"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_fault_is_told_with_its_file_and_line(text: str, said: str, tmp_path: Path) -> None:
    file = _file(tmp_path, "faulty.py", text)
    with pytest.raises(InvalidRequest) as fault:
        load_tools([file])
    assert fault.value.message.startswith(f"{file}:")
    assert said.removeprefix(":  ") in fault.value.message
    assert "\n" not in fault.value.message


def test_two_files_with_the_same_tool_are_both_named(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        _file(tmp_path, name, TOOL.format(name="one"))
    with pytest.raises(InvalidRequest, match=rf"b\.py: there is a tool named 'one' in {tmp_path}/a\.py too"):
        load_tools([tmp_path])


def test_other_names_count_too(tmp_path: Path) -> None:
    file = _file(
        tmp_path,
        "a.py",
        TOOL.format(name="a") + TOOL.format(name="b").replace('"read"', '"read", aliases=("a", "c")'),
    )
    with pytest.raises(InvalidRequest, match=r"a\.py: there is a tool named 'a' twice in it"):
        load_tools([file])
    _file(tmp_path, "a.py", TOOL.format(name="b").replace('"read"', '"read", aliases=("a", "c")'))
    with pytest.raises(InvalidRequest, match=r"a\.py: Hilt has a tool named 'c' already"):
        load_tools([file], taken={"c"})
    assert [tool.name for tool in load_tools([file], taken={"d"})] == ["b"]


def test_what_can_be_no_tools(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no such file"):
        load_tools([tmp_path / "nothing.py"])
    with pytest.raises(InvalidRequest, match="holds no Python file"):
        load_tools([tmp_path])
    with pytest.raises(InvalidRequest, match=r"from a \.py file"):
        load_tools([_file(tmp_path, "a.txt", "")])
