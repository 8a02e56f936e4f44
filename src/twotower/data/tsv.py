"""Tables of text without quoting, plain or gzip: fast to read, exact to blame.

Fields are separated by tabs (TREC's qrels: by blanks), with or without a header line.

polars reads the file in one go. Only if that fails is the file read again line by line, to name
the first line that is wrong.
"""

from __future__ import annotations

import gzip
import re
import zlib
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from twotower.errors import DataError

CUT_OFF = "cut off or not gzip, fetch the file again"
LIMIT: dict[type[pl.DataType], int] = {pl.Int32: 2**31, pl.Int64: 2**63}


def read_tsv(
    path: Path,
    columns: dict[str, type[pl.DataType]],
    *,
    header: bool = False,
    separator: str = "\t",
) -> pl.DataFrame:
    """Read a file whose every line has the given columns (Int64, Int32 or String).

    header: the first line is none of them, whatever it says.
    Raises DataError that names file and line for a wrong number of fields, a number that is none,
    bytes that are not UTF-8, or an empty file.
    """
    layout = Layout(columns, header=header, separator=separator)
    try:
        table = pl.read_csv(
            path,
            separator=separator,
            quote_char=None,
            has_header=False,
            skip_rows=int(header),
            schema=dict.fromkeys(columns, pl.String),
            empty_string_is_null=False,
            glob=False,
        )
        numbers = [name for name, kind in columns.items() if kind != pl.String]
        table = table.with_columns(pl.col(name).str.strip_chars() for name in numbers)
        table = table.cast(dict(columns))  # type: ignore[arg-type]
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise _first_fault(path, layout) or DataError(f"{path}: {reason}") from None
    if table.is_empty() or _suspicious(table):
        fault = _first_fault(path, layout)
        if fault:
            raise fault
    return table


def opened(path: Path) -> BinaryIO:
    """Open a file that may be packed, for reading bytes."""
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def first_line(path: Path) -> str:
    """Give the first line of a file, without its end; raises DataError if it cannot be read."""
    try:
        with opened(path) as lines:
            line = lines.readline()
        return line.removeprefix(BOM_UTF8).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line 1: {_not_utf8(error)}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as broken:
        raise DataError(f"{path}: {broken}; {CUT_OFF}") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


@dataclass(frozen=True)
class Layout:
    """What a line should look like."""

    columns: dict[str, type[pl.DataType]]
    header: bool
    separator: str

    def __str__(self) -> str:
        gap = " <tab> " if self.separator == "\t" else " "
        return gap.join(self.columns)


def _suspicious(table: pl.DataFrame) -> bool:
    """Polars fills a line that lacks a field with an empty text, and lets zero bytes pass."""
    texts = table.select(
        (pl.col(pl.String) == "").any() | pl.col(pl.String).str.contains("\0", literal=True).any()
    )
    return any(texts.row(0))


def _first_fault(path: Path, layout: Layout) -> DataError | None:
    """Look at every line until one is wrong."""
    number = 0
    try:
        with opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if number == 1 and layout.header:
                    continue
                fault = _fault(line.removeprefix(BOM_UTF8) if number == 1 else line, layout)
                if fault:
                    return DataError(f"{path}, line {number}: {fault}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as broken:
        return DataError(f"{path}, after line {number}: {broken}; {CUT_OFF}")
    except OSError as error:
        return DataError(f"{path}: {error.strerror or error}")
    if number <= int(layout.header):
        only = "has a header alone" if number else "is empty"
        return DataError(f"{path}: the file {only}; expected lines of {layout}")
    return None


def _fault(line: bytes, layout: Layout) -> str:
    """Say what is wrong with one line, or nothing."""
    if b"\0" in line:
        return "holds a zero byte: this is a binary file, not text"
    try:
        fields = line.decode("utf-8").rstrip("\r\n").split(layout.separator)
    except UnicodeDecodeError as error:
        return _not_utf8(error)
    if fields == [""]:
        return "the line is empty; remove it"
    if len(fields) != len(layout.columns):
        return f"{len(fields)} field(s), expected {len(layout.columns)}: {layout}"
    for (name, kind), value in zip(layout.columns.items(), fields, strict=True):
        if kind != pl.String and not _is_whole_number(value.strip(), LIMIT[kind]):
            return f"{name} is {value[:40]!r}, expected a whole number ({kind})"
    return ""


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8 ({error.reason} at byte {error.start}); convert the file to UTF-8"


def _is_whole_number(value: str, limit: int) -> bool:
    """Whether polars takes a text as a number of the type that ends below the limit."""
    return bool(re.fullmatch(r"[-+]?0*[0-9]{1,19}", value)) and -limit <= int(value) < limit
