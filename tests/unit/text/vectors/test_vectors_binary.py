"""word2vec's binary format, as its own program and gensim write it, and what gensim says of it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twotower.errors import DataError
from twotower.text.vectors import binary
from twotower.text.vectors.binary import write_binary
from twotower.text.vectors.readers import read_vectors
from twotower.text.vectors.table import Vectors

WORDS = ["the", "cat", "The", "uné", "cat", "", "\u201d", "."]
VECTORS_WE = np.arange(16, dtype=np.float32).reshape(8, 2) / 7
WANTED = [".", "cat", "the", "une\u0301", "uné", "\u201d", "absent", ""]


def content(line_end: bytes = b"\n", header: bytes = b"8 2\n") -> bytes:
    entries = [
        word.encode() + b" " + vector.astype("<f4").tobytes() + line_end
        for word, vector in zip(WORDS, VECTORS_WE, strict=True)
    ]
    return header + b"".join(entries)


def read(folder: Path, written: bytes, format_: str = "auto", width: int = 2) -> Vectors:
    (folder / "v.bin").write_bytes(written)
    return read_vectors(folder / "v.bin", format_, width, pl.Series("word", WANTED))


def check(found: Vectors) -> None:
    rows = [0, 1, 3, 5, 6, 7]
    assert found.words.to_list() == [WORDS[row] for row in rows]
    np.testing.assert_array_equal(found.vectors_WE, VECTORS_WE[rows])
    assert found.vectors_WE.dtype == "float32"
    assert (found.words_in_file, found.repeated) == (8, 1)


@pytest.mark.parametrize("line_end", [b"\n", b""])
@pytest.mark.parametrize("block_bytes", [1, 7, 13, 40, 2**25])
def test_both_ways_to_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_end: bytes, block_bytes: int
) -> None:
    monkeypatch.setattr(binary, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(binary, "LONGEST_WORD_BYTES", 20)
    check(read(tmp_path, content(line_end)))


def test_packed(tmp_path: Path) -> None:
    path = tmp_path / "v.BIN.gz"
    path.write_bytes(gzip.compress(content()))
    check(read_vectors(path, "auto", 2, pl.Series("word", WANTED)))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "v.bin"
    write_binary(path, WORDS, VECTORS_WE)
    assert path.read_bytes() == content()


@pytest.mark.parametrize("is_binary", [True, False])
def test_what_gensim_writes_is_read_exactly(tmp_path: Path, is_binary: bool) -> None:
    from gensim.models import KeyedVectors

    words = [f"w{i}" for i in range(500)] + ["é\u00a0è", "</s>", "😀"]
    vectors_WE = np.random.default_rng(0).normal(0, 1e-3, (503, 7)).astype(np.float32)
    vectors_WE[0] = [0, -0.0, 1e-38, 3e38, 1e-45, -1, np.pi]
    theirs = KeyedVectors(7)
    theirs.add_vectors(words, vectors_WE)
    path = tmp_path / ("v.bin" if is_binary else "v.vec")
    theirs.save_word2vec_format(str(path), binary=is_binary)
    found = read_vectors(path, "auto", 7, pl.Series(words[::-1]))
    assert found.words.to_list() == words
    assert found.vectors_WE.tobytes() == vectors_WE.tobytes()


def test_gensim_reads_what_is_written(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    words = ["the", "uné", "\u201d"]
    write_binary(tmp_path / "v.bin", words, VECTORS_WE[:3])
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "v.bin"), binary=True)
    assert theirs.index_to_key == words
    np.testing.assert_array_equal(theirs.vectors, VECTORS_WE[:3])


@pytest.mark.parametrize("line_end", [b"\n", b""])
def test_a_file_that_is_cut_off(tmp_path: Path, line_end: bytes) -> None:
    whole = content(line_end)
    second = whole.index(b"cat")
    for end in (second, second + 2, second + 4, second + 11):
        with pytest.raises(DataError, match=r"v\.bin, word 2 of 8: the file is cut off here"):
            read(tmp_path, whole[:end])
    with pytest.raises(DataError, match="word 8 of 8: the file is cut off here"):
        read(tmp_path, whole[: -1 - len(line_end)])


def test_more_than_the_header_says(tmp_path: Path) -> None:
    for rest in (b"x", b"\n", b"cat 12345678"):
        with pytest.raises(DataError, match="goes on behind the 8 words that its first line says"):
            read(tmp_path, content() + rest)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "does not start with word2vec's two whole numbers; .* for text set vectors.format"),
        (b"cat 2\n", "does not start with .* of fastText take the .vec file"),
        (b"8 2", "does not start with"),
        (b"\xba\x16O/\x0c\x00\x00\x00", "does not start with"),
        (b"0 2\n", "starts with 0 words of 2 numbers; this is not word2vec's binary format"),
        (b"8 0\n", "starts with 8 words of 0 numbers"),
        (b"8 3\n", "has 3 numbers a word, vectors.width is 2: set it to 3"),
    ],
)
def test_a_header_that_is_missing_or_wrong(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"v.bin: {message}"):
        read(tmp_path, content(header=header))


@pytest.mark.parametrize("block_bytes", [1, 30, 2**25])
def test_a_word_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(binary, "BLOCK_BYTES", block_bytes)
    with pytest.raises(DataError, match=r"word 4 of 8: not UTF-8 \(.*\): b'un\\xe9\\xa9'"):
        read(tmp_path, content().replace("uné".encode(), b"un\xe9\xa9"))
    for number in (np.nan, np.inf):
        broken = content().replace(VECTORS_WE[2].tobytes(), np.float32([1, number]).tobytes())
        with pytest.raises(DataError, match="word 3 of 8, 'The': a number that is NaN or infinite"):
            read(tmp_path, broken)


def test_no_end_of_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "BLOCK_BYTES", 16)
    monkeypatch.setattr(binary, "LONGEST_WORD_BYTES", 32)
    with pytest.raises(DataError, match="word 1 of 9: no blank within 32 bytes; this is not"):
        read(tmp_path, b"9 2\n" + b"x" * 200)


def test_text_named_bin(tmp_path: Path) -> None:
    text = b"2 2\ncat 0.12345 0.25\nthe 0.54321 0.75\n"
    with pytest.raises(DataError, match=r"v\.bin"):
        read(tmp_path, text)
    assert read(tmp_path, text, "word2vec").words.to_list() == ["cat", "the"]
