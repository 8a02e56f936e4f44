"""Text formats: wanted words in the file's order, whatever the blocks, and the line to blame."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.errors import DataError
from twotower.text.vectors import text
from twotower.text.vectors.faults import NUMBER
from twotower.text.vectors.readers import read_vectors
from twotower.text.vectors.table import Vectors

FILE = (
    b"the 0.5 -1\ncat 2 3e-1\nThe 5 5\nun\xc3\xa9 4 4\ncat 9 9\nThe 1 1\n"
    b"\xe2\x80\x9d 6 6\nThe 2 2\n. 7 7\n"
)
WANTED = [".", "cat", "the", "une\u0301", "uné", "”", "absent"]
LONG = 2**25
GOOD = b"a\x0bb 1 2\n"
"""A control character in a word starts no new line."""


def read(
    folder: Path, content: bytes, wanted: list[str] = WANTED, format_: str = "auto", width: int = 2
) -> Vectors:
    (folder / "v.txt").write_bytes(content)
    return read_vectors(folder / "v.txt", format_, width, pl.Series("word", wanted, pl.String))


def check(found: Vectors) -> None:
    """What FILE holds of WANTED: its order, the exact words, the first of the two cats."""
    assert found.words.to_list() == ["the", "cat", "uné", "”", "."]
    expected = [[0.5, -1.0], [2.0, pytest.approx(0.3)], [4.0, 4.0], [6.0, 6.0], [7.0, 7.0]]
    assert found.vectors_WE.tolist() == expected
    assert found.vectors_WE.dtype == "float32"
    assert found.vectors_WE.flags.c_contiguous
    assert (found.words_in_file, found.repeated) == (9, 3)  # one cat, and two Thes nobody wants


@pytest.mark.parametrize("block_bytes", [1, 5, 12, 13, 30, LONG])
@pytest.mark.parametrize("last", [b"", b"\n"])
@pytest.mark.parametrize("header", [b"", b"9 2\n"])
def test_block_boundaries_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, last: bytes, header: bytes
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(text, "LONGEST_LINE_BYTES", 100)
    check(read(tmp_path, header + FILE.rstrip(b"\n") + last))


@pytest.mark.parametrize("header", [b"", b"9 2\n"])
@pytest.mark.parametrize("line_end", [b"\n", b" \n", b"\r\n", b" \r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark(
    tmp_path: Path, header: bytes, line_end: bytes, mark: bytes
) -> None:
    check(read(tmp_path, mark + (header + FILE).replace(b"\n", line_end)))


def test_a_mark_behind_the_start_belongs_to_the_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 8)
    found = read(tmp_path, "a 1 2\n\ufeffb 3 4\nb 5 6\n".encode(), ["\ufeffb", "b"])
    assert found.words.to_list() == ["\ufeffb", "b"]


def test_words_with_blanks(tmp_path: Path) -> None:
    """As in GloVe 840B; a non-breaking blank never separates."""
    content = ". . . 1 2\nat name@domain.com 3 4\na\u00a0b 5 6\n\x01 7 8\nx  y 9 1\n  2 3\n 4 5\n"
    wanted = [". . .", "at name@domain.com", "a\u00a0b", "\x01", "x  y", " ", ""]
    for end in ("\n", " \n"):
        found = read(tmp_path, content.replace("\n", end).encode(), wanted)
        assert found.words.to_list() == wanted
        assert found.vectors_WE.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 1], [2, 3], [4, 5]]
        assert found.repeated == 0


def test_without_a_character_to_stand_in_for_blanks_in_words(tmp_path: Path) -> None:
    controls = "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32), 127]))
    with pytest.raises(DataError, match=r"v\.txt, after line 0: "):
        read(tmp_path, f"{controls} 1 2\na b 3 4\n".encode())


def can_be_written(word: str) -> bool:
    """A blank or a number at a word's end is one number too many; \\r there is dropped."""
    number_at_end = " " in word and NUMBER.fullmatch(word.rsplit(" ", 1)[1])
    blank_at_end = word.strip(" ") and word.endswith(" ")
    return not (number_at_end or blank_at_end or word.endswith("\r"))


words = st.text("ab .1\u00a0\x01\x02\x0b\x85é😀\ufeff\r\"'", max_size=6).filter(can_be_written)


@given(st.lists(words, min_size=1, max_size=30), st.integers(1, 60), st.integers(1, 3))
def test_equals_a_slow_reader(
    tmp_path_factory: pytest.TempPathFactory, some: list[str], block_bytes: int, width: int
) -> None:
    lines = [
        " ".join([word, *(f"{i}.{k}" for k in range(width))]) for i, word in enumerate(some, 1)
    ]
    expected = {}
    for line in lines:
        word, *numbers = line.rsplit(" ", width)
        expected.setdefault(word, [np.float32(number) for number in numbers])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", block_bytes)
        content = ("\n".join(lines) + "\n").encode()
        folder = tmp_path_factory.mktemp("any")
        if content.startswith(text.BOM):
            content = text.BOM + content
        found = read(folder, content, list(expected), "glove", width)
    assert dict(zip(found.words, found.vectors_WE.tolist(), strict=True)) == expected
    assert found.words.to_list() == list(expected)
    assert found.repeated == len(some) - len(expected)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"dog 1", r"word 'dog' has 1 number\(s\) .* expected vectors.width = 2"),
        (b"dog 1 2 3", r"word 'dog' has 3 number\(s\)"),
        (b"hot dog 1 2 3", r"word 'hot' has 4 number\(s\)"),
        (b"dog  1 2", r"word 'dog' has 3 number\(s\) behind single blanks"),
        (b"dog 1  2", r"word 'dog' has 3 number\(s\) behind single blanks"),
        (b"dog x 1  2", r"word 'dog' has 4 number\(s\) behind single blanks"),
        (b"x y  2", "word 'x' has a field that is no number: ''"),
        (b"dog\t1\t2", r"'dog\\t1\\t2' has 0 number\(s\) behind single blanks"),
        (b"", r"word '' has 0 number\(s\)"),
        (b"dog 1 x", "word 'dog' has a field that is no number: 'x'"),
        (b"dog 1_0 2", "no number: '1_0'"),
        (b"dog nan 2", "word 'dog' has a number that is NaN or infinite"),
        (b"dog 1 -Infinity", "word 'dog' has a number that is NaN or infinite"),
        (b"dog 1 1e39", "too large for float32: 1e39"),
        (b"d\xe9g 1 2", "not UTF-8"),
        (b"dog 1 2  ", "blanks or tabs at the line's end"),
        (b"dog 1 2\t", "blanks or tabs at the line's end"),
    ],
)
@pytest.mark.parametrize("before", [b"", GOOD, GOOD * 4, b"7 2\n", b"7 2\n" + GOOD])
def test_the_first_wrong_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, message: str, before: bytes
) -> None:
    number = before.count(b"\n") + 1
    for block_bytes in (24, LONG):
        monkeypatch.setattr(text, "BLOCK_BYTES", block_bytes)
        with pytest.raises(DataError, match=f"v.txt, line {number}: .*{message}"):
            read(tmp_path, before + line + b"\ncat 1 2\nbad\n")


@pytest.mark.parametrize("ends", [b"\n", b" \n", b"\r\n"])
@pytest.mark.parametrize(
    "content",
    [
        b"the 1 2 3\n. . . 1 2 3\ncat 4 5 6\n",
        b"at x@y 1 2\n" * 5 + b"the 1 2 3\n",
        b"the 1 2 3\nbroken 1\nthe 1 2 3\n",
        b"the 1 2 3\n" * 101 + b"the 1 2\n",
    ],
)
def test_another_width_than_declared(tmp_path: Path, content: bytes, ends: bytes) -> None:
    message = f"{tmp_path / 'v.txt'}: has 3 numbers a word, vectors.width is 50: set it to 3"
    with pytest.raises(DataError, match=re.escape(message)):
        read(tmp_path, content.replace(b"\n", ends), width=50)
    with pytest.raises(DataError, match=r"vectors\.width is 2: set it to 3"):
        read(tmp_path, content.replace(b"\n", ends), width=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"3 2\ncat 1 2\nthe 1 2\n", "its first line says 3 words, but it has 2; fetch it again"),
        (b"1 2\ncat 1 2\nthe 1 2\n", "its first line says 1 words, but it has 2; fetch it again"),
        (b"1 2\n", "its first line says 1 words, but it has 0"),
        (b"2 3\ncat 1 2 3\n", "has 3 numbers a word, vectors.width is 2: set it to 3"),
        (b"0 2\n", "starts with 0 words of 2 numbers; if it is in GloVe's format"),
        (b"2 99999999\n", "starts with 2 words of 99999999 numbers"),
        (b"cat 1 2\n", "does not start with word2vec's two whole numbers; if it is in GloVe's"),
        (b"", "does not start with word2vec's two whole numbers"),
    ],
)
def test_the_header_of_word2vec(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"v.txt: {message}"):
        read(tmp_path, content, format_="word2vec")


def test_a_header_in_gloves_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: this is the header of word2vec's text format"):
        read(tmp_path, b"2 2\ncat 1 2\nthe 1 2\n", format_="glove")
    assert len(read(tmp_path, b"2 2\ncat 1\n", ["2"], "glove", width=1).words) == 1


def test_a_binary_file_read_as_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: not UTF-8 .* set vectors.format to word2vec-bin"):
        read(tmp_path, b"1 2\ncat \xff\xff\xff\xff\xff\xff\xff\xff\n")


def test_files_without_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="the file is empty; expected a word and 2 numbers"):
        read(tmp_path, b"")
    monkeypatch.setattr(text, "BLOCK_BYTES", 8)
    monkeypatch.setattr(text, "LONGEST_LINE_BYTES", 8)
    with pytest.raises(DataError, match="a line of over 8 bytes"):
        read(tmp_path, b"x" * 100)


def test_no_word_wanted(tmp_path: Path) -> None:
    found = read(tmp_path, FILE, [])
    assert found.words.to_list() == []
    assert found.vectors_WE.shape == (0, 2)
