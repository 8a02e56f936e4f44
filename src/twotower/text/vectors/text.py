"""Text formats: GloVe's, and word2vec's, which has a line of two whole numbers in front.

A line is a word and its numbers, separated by single blanks; fastText's .vec files are word2vec's.
A file is read as a stream, in blocks of whole lines.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

import numpy as np
import polars as pl

from twotower.errors import DataError
from twotower.text.vectors import spaced
from twotower.text.vectors.faults import check_width, first_fault, parse_header
from twotower.text.vectors.table import Block

BLOCK_BYTES = LONGEST_LINE_BYTES = 32 * 2**20
HEADER_BYTES = 100
BOM = b"\xef\xbb\xbf"


def read_glove(file: IO[bytes], name: str, width: int) -> Iterator[Block]:
    """Read GloVe's text format; raises DataError naming the line."""
    lines = 0
    for block in _blocks(file, name):
        if not lines:
            check_width(name, block.removeprefix(BOM), width)
        yield (parsed := _parse(block, width, name, lines))
        lines += len(parsed.words)
    if not lines:
        raise DataError(f"{name}: the file is empty; expected a word and {width} numbers a line")


def read_word2vec(file: IO[bytes], name: str, width: int) -> Iterator[Block]:
    """Read word2vec's text format; raises DataError naming the line, or if lines are missing."""
    hint = "if it is in GloVe's format, set vectors.format to glove"
    words, lines = parse_header(file.readline(HEADER_BYTES), name, width, hint), 0
    for block in _blocks(file, name):
        yield (parsed := _parse(block, width, name, lines + 1))
        lines += len(parsed.words)
    if lines != words:
        raise DataError(
            f"{name}: its first line says {words} words, but it has {lines}; fetch it again"
        )


def _blocks(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Read whole lines, about BLOCK_BYTES at a time."""
    rest = b""
    while data := file.read(BLOCK_BYTES):
        rest += data
        cut = rest.rfind(b"\n") + 1
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
        if len(rest) > LONGEST_LINE_BYTES:
            raise DataError(
                f"{name}: a line of over {LONGEST_LINE_BYTES} bytes; this is no vector file"
            )
    if rest:
        yield rest + b"\n"


def _parse(block: bytes, width: int, name: str, lines_before: int) -> Block:
    if not lines_before:
        block = block.removeprefix(BOM)
    lines, stand_in = spaced.tidied(block, width)
    try:
        table = _read_csv(lines, width)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise first_fault(block, width, name, lines_before, reason) from None
    words, vectors_WE = table["word"], table.drop("word").to_numpy()
    # A field that is missing or empty is null in polars, and NaN in numpy.
    whole = np.isfinite(vectors_WE).all() and len(words) == block.count(b"\n")
    if not whole or (stand_in and not spaced.are_words(words, stand_in)):
        raise first_fault(block, width, name, lines_before, "unreadable")
    return Block(spaced.with_blanks(words, stand_in) if stand_in else words, vectors_WE)


def _read_csv(lines: bytes, width: int) -> pl.DataFrame:
    # The reader drops a byte order mark; behind the file's start it is a part of the first word.
    marked = BOM + lines if lines.startswith(BOM) else lines
    return pl.read_csv(
        io.BytesIO(marked),
        separator=" ",
        quote_char=None,
        has_header=False,
        schema={"word": pl.String, **dict.fromkeys((f"v{i}" for i in range(width)), pl.Float32)},
        empty_string_is_null=False,
    )
