"""Vector files: the wanted words in the file's order, from text or zip, and the line to blame."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import polars as pl
import pytest

from twotower.errors import DataError
from twotower.text import vectors
from twotower.text.vectors import Vectors, read_glove

FILE = b"the 0.5 -1\ncat 2 3e-1\nThe 5 5\nun\xc3\xa9 4 4\ncat 9 9\n\xe2\x80\x9d 6 6\n. 7 7\n"
WANTED = [".", "cat", "the", "une\u0301", "uné", "”", "absent"]


def read(folder: Path, files: dict[str, bytes], width: int = 2) -> Vectors:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return read_glove(folder, width, pl.Series("word", WANTED))


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def check(found: Vectors) -> None:
    """What FILE holds of WANTED: its order, the exact words, the first of the two cats."""
    assert found.words.to_list() == ["the", "cat", "uné", "”", "."]
    expected = [[0.5, -1.0], [2.0, pytest.approx(0.3)], [4.0, 4.0], [6.0, 6.0], [7.0, 7.0]]
    assert found.vectors_WE.tolist() == expected
    assert found.vectors_WE.dtype == "float32"
    assert (found.words_in_file, found.repeated) == (7, 1)


@pytest.mark.parametrize("block_bytes", [1, 5, 12, 13, 30, 2**25])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_block_boundaries_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, last: bytes
) -> None:
    monkeypatch.setattr(vectors, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(vectors, "LONGEST_LINE_BYTES", 100)
    check(read(tmp_path, {"v.txt": FILE.rstrip(b"\n") + last}))


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    check(read(tmp_path, {"v.txt": b"\xef\xbb\xbf" + FILE.replace(b"\n", b"\r\n")}))


def test_a_zip_of_several_widths(tmp_path: Path) -> None:
    members = {"g.2d.txt": FILE, "g.12d.txt": b"x", "g.3d.txt": b"cat 1 2 3\n"}
    check(read(tmp_path, {"g.zip": zipped(members)}))
    assert read(tmp_path, {}, width=3).vectors_WE.tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize("name", ["any.txt", "g.2d.txt", "folder/g.2d.txt"])
def test_a_zip_of_one_file(tmp_path: Path, name: str) -> None:
    check(read(tmp_path, {"G.ZIP": zipped({"folder/": b"", name: FILE, "README": b"x"})}))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"g.3d.txt": b"", "g.4d.txt": b""}, "no single file with vocab.width 2; it holds g.3d"),
        ({"a/g.2d.txt": FILE, "b/g.2d.txt": FILE}, "it holds a/g.2d.txt, b/g.2d.txt"),
        ({"g.vec": FILE}, r"it holds no \.txt"),
        ({}, r"it holds no \.txt"),
    ],
)
def test_a_zip_without_one_fitting_file(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, {"g.zip": zipped(members)})


def broken_zip(how: str) -> bytes:
    """A zip with one thing wrong; offsets are those of the two headers of its one member."""
    lines = b"".join(b"w%d %d 2\n" % (i, i * 7919 % 1013) for i in range(5000))
    content = bytearray(zipped({"g.2d.txt": lines}))
    entry = content.find(b"PK\x01\x02")
    if how == "cut":
        return bytes(content[: len(content) // 2])
    if how == "data":
        content[30 + len("g.2d.txt")] = 0b111  # a kind of block that there is not
    if how == "checksum":
        content[entry + 16 : entry + 20] = b"abcd"
    if how == "encrypted":
        content[6] |= 1
        content[entry + 8] |= 1
    if how == "method":
        content[8] = content[entry + 10] = 99
    return bytes(content)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut", "not a whole zip file, fetch it again"),
        ("data", "not a whole zip file, fetch it again: Error -3 while decompressing"),
        ("checksum", "not a whole zip file, fetch it again: Bad CRC"),
        ("encrypted", "g.2d.txt cannot be unpacked: .*encrypted"),
        ("method", "g.2d.txt cannot be unpacked: .*not supported"),
    ],
)
def test_a_broken_zip(tmp_path: Path, how: str, message: str) -> None:
    with pytest.raises(DataError, match=f"g.zip: {message}"):
        read(tmp_path, {"g.zip": broken_zip(how)})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"dog 1", r"word 'dog' has 1 number\(s\) .* expected vocab.width = 2"),
        (b"dog 1 2 3", r"word 'dog' has 3 number\(s\)"),
        (b"dog\t1\t2", r"'dog\\t1\\t2' has 0 number\(s\) behind single blanks"),
        (b"", r"word '' has 0 number\(s\)"),
        (b"dog 1 x", "word 'dog' has a field that is no number: 'x'"),
        (b"dog 1_0 2", "no number: '1_0'"),
        (b"dog nan 2", "word 'dog' has a number that is NaN or infinite"),
        (b"dog 1 -Infinity", "word 'dog' has a number that is NaN or infinite"),
        (b"dog 1 1e39", "too large for float32: 1e39"),
        (b"d\xe9g 1 2", "not UTF-8"),
        (b"dog 1 2 ", "blanks or tabs at the line's end"),
        (b"dog 1 2\t", "blanks or tabs at the line's end"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 4])
def test_the_first_wrong_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, message: str, before: int
) -> None:
    good = b"a\x0bb 1 2\n" * before  # a control character in a word starts no new line
    for block_bytes in (20, 2**25):
        monkeypatch.setattr(vectors, "BLOCK_BYTES", block_bytes)
        with pytest.raises(DataError, match=f"v.txt, line {before + 1}: .*{message}"):
            read(tmp_path, {"v.txt": good + line + b"\ncat 1 2\nbad\n"})


def test_the_header_of_word2vec(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: this is the header of word2vec's text format"):
        read(tmp_path, {"v.txt": b"2 2\ncat 1 2\nthe 1 2\n"})
    (tmp_path / "v.txt").write_bytes(b"2 2\ncat 1\n")
    assert len(read_glove(tmp_path, 1, pl.Series("word", ["2"])).words) == 1


def test_files_without_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="the file is empty; expected a word and 2 numbers"):
        read(tmp_path, {"v.txt": b""})
    monkeypatch.setattr(vectors, "BLOCK_BYTES", 8)
    monkeypatch.setattr(vectors, "LONGEST_LINE_BYTES", 8)
    with pytest.raises(DataError, match="a line of over 8 bytes"):
        read(tmp_path, {"v.txt": b"x" * 100})


@pytest.mark.parametrize("names", [[], ["a.txt", "b.txt"]])
def test_not_one_file(tmp_path: Path, names: list[str]) -> None:
    found = re.escape(", ".join(names) or "nothing")
    with pytest.raises(DataError, match=f"expected one file of vectors, found {found}"):
        read(tmp_path, dict.fromkeys(names, FILE))
