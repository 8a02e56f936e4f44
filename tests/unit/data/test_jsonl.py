"""JSON Lines: what is read, and the line that is blamed."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.data.jsonl import read_jsonl
from twotower.errors import DataError

GOOD = b'{"_id": "1", "text": "a"}\n'
# A lone half of a surrogate pair is no text.
TEXT = st.text(st.characters(codec="utf-8"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("jsonl")
    return folder / "corpus.jsonl"


def read(path: Path, content: bytes) -> list[tuple[str, ...]]:
    path.write_bytes(content)
    rows: list[tuple[str, ...]] = read_jsonl(path, ["_id", "text"], ["title"]).rows()
    return rows


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GOOD, ("1", "a", "")),
        (GOOD.rstrip(), ("1", "a", "")),
        (GOOD.replace(b"\n", b"\r\n"), ("1", "a", "")),
        (b'\n  \n{"text": "a", "_id": "1"}\n\n', ("1", "a", "")),  # blank lines
        (b'{"_id": "1", "text": "a", "title": null}\n', ("1", "a", "")),
        (b'{"_id": 1, "text": "", "title": "T"}\n', ("1", "", "T")),
        (b'{"_id": 123456789012345678901, "text": 1.5}\n', ("123456789012345678901", "1.5", "")),
        (b'{"_id": "1", "text": "a", "metadata": {"x": [{"y": null}]}}\n', ("1", "a", "")),
        (b'{"_id": "1", "text": "\\u00e9\\ud83d\\ude00\\n\\"\\/"}\n', ("1", 'é😀\n"/', "")),
        (b'{"_id": "1", "text": "[a]", "title": "{b}"}\n', ("1", "[a]", "{b}")),
        (b'{"_id": "[1]", "text": "[\\"a\\", \\"b\\"]"}\n', ("[1]", '["a", "b"]', "")),  # a text
    ],
)
def test_one_object(path: Path, content: bytes, expected: tuple[str, ...]) -> None:
    assert read(path, content) == [expected]
    packed = path.with_name("corpus.jsonl.gz")
    assert read(packed, gzip.compress(content)) == [expected]


@pytest.mark.parametrize("escaped", [False, True])
@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1))
def test_what_is_written_is_read(
    path: Path, rows: list[tuple[str, str, str]], escaped: bool
) -> None:
    objects = [dict(zip(("_id", "text", "title"), row, strict=True)) for row in rows]
    lines = [f"{json.dumps(content, ensure_ascii=escaped)}\n" for content in objects]
    assert read(path, "".join(lines).encode()) == rows


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"_id": "2", "te', "not JSON"),
        (b'{"_id": "2", "text": "a"', "not JSON"),
        (b'{"_id": "2", "text": "a",}', "not JSON"),
        (b'{"_id": 007, "text": "a"}', "not JSON"),
        (b'{"_id": "2", "text": NaN}', "not JSON .NaN is no value"),
        (b'{"_id": "2", "text": "a\tb"}', "not JSON .Invalid control character"),
        (b'{"_id": "2", "text": "a\0b"}', "not JSON"),
        (b"{'_id': '2', 'text': 'a'}", "not JSON"),
        (b'{"_id": "2", "text": "a"} {"_id": "3", "text": "a"}', "not JSON .Extra data"),
        (b'{"_id": "2", "text": ' + b"[" * 100_000, "not JSON .maximum recursion"),
        (b"_id\ttext", "not JSON .*; the line is b'_id"),
        (b'{"_id": "2", "text": "caf\xe9"}', r"not UTF-8 \(.* at byte \d+\); convert"),
        (b"[1, 2]", "expected a JSON object with _id, text, found b'.1, 2"),
        (b"[{}]", "expected a JSON object"),
        (b'"text"', "expected a JSON object"),
        (b"5", "expected a JSON object"),
        (b"null", "expected a JSON object"),
        (b"{}", "no field '_id'; found none"),
        (b'{"text": "a"}', "no field '_id'; found text"),
        (b'{"_id": "2", "body": "a"}', "no field 'text'; found _id, body"),
        (b'{"_id": null, "text": "a"}', "no field '_id'"),
        (b'{"_id": "2", "text": null}', "no field 'text'"),
        (b'{"_id": "2", "text": ["a", "b"]}', r"field 'text' is .*, expected text"),
        (b'{"_id": "2", "text": []}', "field 'text' is .*, expected text"),
        (b'{"_id": {"$oid": "2"}, "text": "a"}', "field '_id' is .*, expected text"),
        (b'{"_id": "2", "text": "a", "title": ["T"]}', "field 'title' is .*, expected text"),
        (b'{"_id": "2", "text": ["a\\u0001b\\""]}', "field 'text' is .*, expected text"),
    ],
)
@pytest.mark.parametrize("before", [0, 2])
def test_the_first_wrong_line_is_named(path: Path, line: bytes, message: str, before: int) -> None:
    content = GOOD * before + line + b"\n" + GOOD
    with pytest.raises(DataError, match=f"{re.escape(str(path))}, line {before + 1}: {message}"):
        read(path, content)


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\n"])
def test_an_empty_file(path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"jsonl: the file is empty; expected one JSON object"):
        read(path, content)
    with pytest.raises(DataError, match=r"jsonl\.gz: the file is empty; expected one JSON"):
        read(path.with_name("corpus.jsonl.gz"), gzip.compress(content))


@pytest.mark.parametrize("left", [0, 0.1, 0.5, 0.99])
def test_a_packed_file_that_is_cut_off(path: Path, left: float) -> None:
    lines = [b'{"_id": "%d", "text": "%d"}\n' % (i, i * 7919 % 1000) for i in range(5000)]
    whole = gzip.compress(b"".join(lines))
    message = r"jsonl\.gz(, after line \d+: .* cut off|: the file is empty)"
    with pytest.raises(DataError, match=message):
        read(path.with_name("corpus.jsonl.gz"), whole[: int(len(whole) * left)])


def test_no_gzip_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"jsonl\.gz, after line 0: Not a gzipped file"):
        read(tmp_path / "corpus.jsonl.gz", GOOD)
    for name, message in ((".", "Is a directory"), ("none.jsonl", "No such file")):
        with pytest.raises(DataError, match=message):
            read_jsonl(tmp_path / name, ["_id"], [])
