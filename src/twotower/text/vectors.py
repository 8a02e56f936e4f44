"""Reading word vectors: GloVe's text format, plain or in the zip that Stanford ships.

A line is a word and its numbers, separated by single blanks. The file is streamed in blocks, and
of each block only the wanted words are kept, so memory follows the corpus and not the file.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from twotower.errors import DataError

BLOCK_BYTES = LONGEST_LINE_BYTES = 32 * 2**20
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)
NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Vectors:
    """Vectors of the wanted words that the file has, in the file's order."""

    words: pl.Series
    vectors_WE: np.ndarray
    """float32"""
    words_in_file: int
    repeated: int
    """Later lines of a word that the file has already: the first one wins."""


def read_glove(folder: Path, width: int, wanted: pl.Series) -> Vectors:
    """Read the one vector file of a folder; raises DataError naming file and line.

    width: numbers a word; in a zip of several widths it also chooses the file.
    """
    kept, lines = [], 0
    with _open(folder, width) as (file, name):
        for block in _blocks(file, name):
            table = _parse(block, width, name, lines)
            lines += len(table)
            kept.append(table.filter(pl.col("word").is_in(wanted.implode())))
    if not lines:
        raise DataError(f"{name}: the file is empty; expected a word and {width} numbers a line")
    found = pl.concat(kept)
    first = found.unique("word", keep="first", maintain_order=True)
    return Vectors(
        words=first["word"],
        vectors_WE=first.drop("word").to_numpy().astype(np.float32, order="C"),
        words_in_file=lines,
        repeated=len(found) - len(first),
    )


@contextmanager
def _open(folder: Path, width: int) -> Iterator[tuple[IO[bytes], str]]:
    """Open the text file, or the member of the zip that has the wanted width."""
    path = _only_file(folder)
    if path.suffix.lower() != ".zip":
        with path.open("rb") as file:
            yield file, str(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, width, path)
            with _open_member(archive, member, path) as file:
                yield file, f"{path}/{member}"
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole zip file, fetch it again: {error}") from None


def _only_file(folder: Path) -> Path:
    found = sorted(folder.iterdir())
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "nothing"
        raise DataError(f"{folder}: expected one file of vectors, found {names}")
    return found[0]


def _open_member(archive: zipfile.ZipFile, member: str, path: Path) -> IO[bytes]:
    try:
        return archive.open(member)
    except RuntimeError as error:  # encrypted, or packed in a way that Python does not know
        raise DataError(f"{path}: {member} cannot be unpacked: {error}") from None


def _member(archive: zipfile.ZipFile, width: int, path: Path) -> str:
    texts = [name for name in archive.namelist() if name.endswith(".txt")]
    chosen = [name for name in texts if f".{width}d." in name] or texts
    if len(chosen) != 1:
        found = ", ".join(texts) or "no .txt"
        raise DataError(f"{path}: no single file with vocab.width {width}; it holds {found}")
    return chosen[0]


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


def _parse(block: bytes, width: int, name: str, lines_before: int) -> pl.DataFrame:
    numbers = [f"v{i}" for i in range(width)]
    try:
        table = pl.read_csv(
            io.BytesIO(block),
            separator=" ",
            quote_char=None,
            has_header=False,
            schema={"word": pl.String, **dict.fromkeys(numbers, pl.Float32)},
            empty_string_is_null=False,
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise _first_fault(block, width, name, lines_before, reason) from None
    finite = pl.all_horizontal(pl.col(pl.Float32).is_finite().fill_null(value=False))
    if not table.select(finite.all()).item() or len(table) != block.count(b"\n"):
        raise _first_fault(block, width, name, lines_before, "unreadable")
    return table


def _first_fault(block: bytes, width: int, name: str, lines_before: int, error: str) -> DataError:
    lines = block.removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, lines_before + 1):
        fault = _fault(line.removesuffix(b"\r"), width, first=number == 1)
        if fault:
            return DataError(f"{name}, line {number}: {fault}")
    return DataError(f"{name}, after line {lines_before}: {error}")


def _fault(line: bytes, width: int, *, first: bool) -> str:
    """Say what is wrong with one line, or nothing."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 ({error.reason} at byte {error.start})"
    if first and re.fullmatch("[0-9]+ [0-9]+", text) and width > 1:
        return "this is the header of word2vec's text format; remove the line"
    if text != text.rstrip(" \t"):
        return "blanks or tabs at the line's end; remove them from the file"
    return _fault_of_fields(*text.split(" "), width=width)


def _fault_of_fields(word: str, *numbers: str, width: int) -> str:
    where = f"word {word[:40]!r}"
    if len(numbers) != width:
        return (
            f"{where} has {len(numbers)} number(s) behind single blanks, "
            f"expected vocab.width = {width}"
        )
    for number in numbers:
        if NOT_FINITE.fullmatch(number):
            return f"{where} has a number that is NaN or infinite"
        if not NUMBER.fullmatch(number):
            return f"{where} has a field that is no number: {number[:40]!r}"
        if abs(float(number)) > LARGEST:
            return f"{where} has a number that is too large for float32: {number[:40]}"
    return ""
