"""word2vec's binary format, as its own program and gensim write it.

A line of two whole numbers, words and numbers a word; then of each word its letters, a blank and
its little-endian float32 numbers, with a line end (word2vec) or without (gensim). A file is read as
a stream: GoogleNews has 3.6 GB, and only the wanted words are kept of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from twotower.errors import DataError
from twotower.files import writing
from twotower.text.vectors.faults import parse_header
from twotower.text.vectors.table import Block

BLOCK_BYTES = 32 * 2**20
LONGEST_WORD_BYTES = 2**16
HEADER_BYTES = 100
HINT = (
    "this is not word2vec's binary format; for text set vectors.format to glove or word2vec, "
    "and of fastText take the .vec file, as its .bin is a format of its own"
)


def write_binary(path: Path, words: list[str], vectors_WE: np.ndarray) -> None:
    """Write a file as word2vec's own program does; no word may hold a blank or a line end."""
    with writing(path) as partial, partial.open("wb") as file:
        file.write(b"%d %d\n" % vectors_WE.shape)
        for word, vector in zip(words, vectors_WE.astype("<f4"), strict=True):
            file.write(word.encode("utf-8") + b" " + vector.tobytes() + b"\n")


def read_binary(file: IO[bytes], name: str, width: int) -> Iterator[Block]:
    """Read word2vec's binary format; raises DataError naming the word's number in the file."""
    words = parse_header(file.readline(HEADER_BYTES), name, width, HINT)
    rest, done = b"", 0
    while done < words:
        data = file.read(BLOCK_BYTES)
        block = rest + data
        found, numbers, end = _split(block, 4 * width, words - done)
        rest = block[end:]
        if found:
            yield _checked(found, numbers, name, done, words)
        done += len(found)
        if done < words:
            _check_rest(rest, f"{name}, word {done + 1} of {words}", ended=not data)
    if rest + file.read(2) not in (b"", b"\n"):
        raise DataError(f"{name}: goes on behind the {words} words that its first line says")


def _split(block: bytes, vector_bytes: int, most: int) -> tuple[list[bytes], bytes, int]:
    """Give the whole entries of a block, `most` at most: words, numbers, and where they end."""
    words: list[bytes] = []
    vectors: list[bytes] = []
    at = 0
    while len(words) < most:
        start = at + block.startswith(b"\n", at)
        blank = block.find(b" ", start, start + LONGEST_WORD_BYTES)
        end = blank + 1 + vector_bytes
        if blank < 0 or end > len(block):
            break
        words.append(block[start:blank])
        vectors.append(block[blank + 1 : end])
        at = end
    return words, b"".join(vectors), at


def _checked(found: list[bytes], numbers: bytes, name: str, before: int, words: int) -> Block:
    texts = _decoded(found, name, before, words)
    vectors_WE = np.frombuffer(numbers, "<f4").reshape(len(found), -1)
    finite_W = np.isfinite(vectors_WE).all(axis=1)
    if not finite_W.all():
        row = int(np.argmin(finite_W))
        where = f"{name}, word {before + row + 1} of {words}, {texts[row][:40]!r}"
        raise DataError(f"{where}: a number that is NaN or infinite; fetch the file again")
    return Block(pl.Series("word", texts, pl.String), vectors_WE)


def _decoded(found: list[bytes], name: str, before: int, words: int) -> list[str]:
    texts: list[str] = []
    try:
        texts.extend(word.decode("utf-8") for word in found)
    except UnicodeDecodeError as error:
        where = f"{name}, word {before + len(texts) + 1} of {words}"
        raise DataError(f"{where}: not UTF-8 ({error.reason}): {error.object[:40]!r}") from None
    return texts


def _check_rest(rest: bytes, where: str, *, ended: bool) -> None:
    """Raise DataError if what is left of a block cannot become the next word."""
    if ended:
        raise DataError(f"{where}: the file is cut off here; fetch it again")
    if b" " not in rest[: LONGEST_WORD_BYTES + 1] and len(rest) > LONGEST_WORD_BYTES:
        raise DataError(f"{where}: no blank within {LONGEST_WORD_BYTES} bytes; {HINT}")
