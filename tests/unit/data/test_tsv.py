"""TSV files: what is read as it stands, and the line that is blamed."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.data.tsv import read_tsv
from twotower.errors import DataError

PASSAGE = {"pid": pl.Int64, "text": pl.String}
QREL = {"qid": pl.Int64, "iteration": pl.String, "pid": pl.Int64, "grade": pl.Int32}
# The number first, as polars drops a byte order mark only at a file's start.
LINES = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.text(st.characters(exclude_characters="\0\t\n\r", codec="utf-8")),
    ),
    min_size=1,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tsv")
    return folder / "collection.tsv"


def read(path: Path, content: bytes) -> list[tuple[int, str]]:
    path.write_bytes(content)
    rows: list[tuple[int, str]] = read_tsv(path, PASSAGE).rows()
    return rows


@pytest.mark.parametrize(
    "content",
    [
        b"1\tx\n2\ty\n",
        b"1\tx\n2\ty",
        b"1\tx\r\n2\ty\r\n",
        b"\xef\xbb\xbf1\tx\n2\ty\n",
        b" 1 \tx\n+2\ty\n",
        gzip.compress(b"1\tx\n") + gzip.compress(b"2\ty\n"),
    ],
)
def test_forms_of_the_same_lines(path: Path, content: bytes) -> None:
    assert read(path, content) == [(1, "x"), (2, "y")]


def test_texts_stand_as_they_are(path: Path) -> None:
    content = '-1\t"a\n2\t b"" \n3\t\n4\ta\rb\x0bc\n5\tNA\n'
    assert read(path, content.encode()) == [
        (-1, '"a'),
        (2, ' b"" '),
        (3, ""),
        (4, "a\rb\x0bc"),
        (5, "NA"),
    ]


@given(LINES)
def test_what_is_written_is_read(path: Path, lines: list[tuple[int, str]]) -> None:
    content = "".join(f"{pid}\t{text}\n" for pid, text in lines)
    assert read(path, content.encode()) == lines


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no tab", r"1 field\(s\), expected 2: pid <tab> text"),
        (b"7\tx\ty", r"3 field\(s\), expected 2"),
        (b"7", r"1 field\(s\), expected 2"),
        (b"", "the line is empty; remove it"),
        (b"7\tx\0y", "holds a zero byte: this is a binary file"),
        (b"7\tcaf\xe9", "not UTF-8 .* at byte 5"),
        (b"\tx", "pid is '', expected a whole number"),
        (b"1.0\tx", "pid is '1.0', expected a whole number"),
        (b"1 2\tx", "pid is '1 2', expected a whole number"),
        (b"9223372036854775808\tx", "pid is '9223372036854775808', .*Int64"),
        ("٢\tx".encode(), "pid is '٢', expected a whole number"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_the_first_wrong_line_is_named(
    path: Path, start: bytes, line: bytes, message: str, before: int
) -> None:
    content = start + b"1\t\n" * before + line + b"\n5\tx\n\n\nno tab\n"
    with pytest.raises(DataError, match=f"{re.escape(str(path))}, line {before + 1}: {message}"):
        read(path, content)


@pytest.mark.parametrize("line", [b"2\tx\0y\n", b"2\n", b"\n"])
def test_what_polars_lets_pass_is_refused_too(path: Path, line: bytes) -> None:
    with pytest.raises(DataError, match=r"collection\.tsv, line 2: "):
        read(path, b"1\tx\n" + line)


def test_a_grade_beyond_its_type(path: Path) -> None:
    path.write_bytes(b"1\t0\t5\t1\n1\t0\t6\t2147483648\n")
    with pytest.raises(DataError, match="line 2: grade is '2147483648'"):
        read_tsv(path, QREL)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")])
def test_an_empty_file(path: Path, content: bytes) -> None:
    packed = path.with_name("collection.tsv.gz")
    with pytest.raises(DataError, match="the file is empty; expected lines of pid <tab> text"):
        read(packed, content)


@pytest.mark.parametrize("left", [0.1, 0.5, 0.99])
def test_a_packed_file_that_is_cut_off(path: Path, left: float) -> None:
    whole = gzip.compress(b"".join(b"%d\ttext %d\n" % (i, i * 7919 % 1000) for i in range(5000)))
    with pytest.raises(DataError, match=r"collection.tsv.gz, after line \d+: .* cut off"):
        read(path.with_name("collection.tsv.gz"), whole[: int(len(whole) * left)])


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Is a directory"):
        read_tsv(tmp_path, PASSAGE)
    with pytest.raises(DataError, match=r"none\.tsv: No such file"):
        read_tsv(tmp_path / "none.tsv", PASSAGE)
