"""Tab-separated files without header or quoting, plain or gzip: fast to read, exact to blame.

polars reads the file in one go. Only if that fails is the file read again line by line, to name
the first line that is wrong.
"""

from __future__ import annotations

import gzip
import re
import zlib
from codecs import BOM_UTF8
from pathlib import Path

import polars as pl

from twotower.errors import DataError

LIMIT: dict[type[pl.DataType], int] = {pl.Int32: 2**31, pl.Int64: 2**63}


def read_tsv(path: Path, columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """Read a file whose every line has the given columns (Int64, Int32 or String).

    Raises DataError that names file and line for a wrong number of fields, a number that is none,
    bytes that are not UTF-8, or an empty file.
    """
    try:
        table = pl.read_csv(
            path,
            separator="\t",
            quote_char=None,
            has_header=False,
            schema=dict.fromkeys(columns, pl.String),
            empty_string_is_null=False,
            glob=False,
        )
        numbers = [name for name, kind in columns.items() if kind != pl.String]
        table = table.with_columns(pl.col(name).str.strip_chars() for name in numbers)
        table = table.cast(dict(columns))  # type: ignore[arg-type]
    except (pl.exceptions.PolarsError, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise _first_fault(path, columns) or DataError(f"{path}: {first_line}") from None
    if table.is_empty() or _suspicious(table):
        fault = _first_fault(path, columns)
        if fault:
            raise fault
    return table


def _suspicious(table: pl.DataFrame) -> bool:
    """Polars fills a line that lacks a field with an empty text, and lets zero bytes pass."""
    texts = table.select(
        (pl.col(pl.String) == "").any() | pl.col(pl.String).str.contains("\0", literal=True).any()
    )
    return any(texts.row(0))


def _first_fault(path: Path, columns: dict[str, type[pl.DataType]]) -> DataError | None:
    """Look at every line until one is wrong."""
    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opened(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                fault = _fault(line.removeprefix(BOM_UTF8) if number == 1 else line, columns)
                if fault:
                    return DataError(f"{path}, line {number}: {fault}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as broken:
        return DataError(
            f"{path}, after line {number}: {broken}; cut off or not gzip, fetch the file again"
        )
    except OSError as error:
        return DataError(f"{path}: {error.strerror or error}")
    if number == 0:
        return DataError(f"{path}: the file is empty; expected lines of {_layout(columns)}")
    return None


def _fault(line: bytes, columns: dict[str, type[pl.DataType]]) -> str:
    """Say what is wrong with one line, or nothing."""
    if b"\0" in line:
        return "holds a zero byte: this is a binary file, not text"
    try:
        fields = line.decode("utf-8").rstrip("\r\n").split("\t")
    except UnicodeDecodeError as error:
        return f"not UTF-8 ({error.reason} at byte {error.start}); convert the file to UTF-8"
    if fields == [""]:
        return "the line is empty; remove it"
    if len(fields) != len(columns):
        return f"{len(fields)} field(s), expected {len(columns)}: {_layout(columns)}"
    for (name, kind), value in zip(columns.items(), fields, strict=True):
        if kind != pl.String and not _is_whole_number(value.strip(), LIMIT[kind]):
            return f"{name} is {value[:40]!r}, expected a whole number ({kind})"
    return ""


def _is_whole_number(value: str, limit: int) -> bool:
    """Whether polars takes a text as a number of the type that ends below the limit."""
    return bool(re.fullmatch(r"[-+]?0*[0-9]{1,19}", value)) and -limit <= int(value) < limit


def _layout(columns: dict[str, type[pl.DataType]]) -> str:
    return " <tab> ".join(columns)
