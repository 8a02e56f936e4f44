"""JSON Lines: one object a line, plain or gzip; fast to read, exact to blame.

polars reads the file in one go. Only if that fails, or gives what may be no text, is the file read
again line by line, to name the first line that is wrong. Blank lines do no harm.
"""

from __future__ import annotations

import json
import zlib
from gzip import BadGzipFile
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from twotower.data.tsv import CUT_OFF, opened
from twotower.errors import DataError


def read_jsonl(path: Path, required: list[str], optional: list[str]) -> pl.DataFrame:
    """Read text fields of every line; an optional one that is missing or null is empty.

    A number or truth value is taken as its text. Raises DataError that names file and line for
    what is no JSON object, lacks a required field, or has a list or object for a field.
    """
    try:
        with opened(path) as file:
            # polars panics where it reads through gzip itself and gzip fails.
            whole = BytesIO(file.read()) if path.suffix == ".gz" else file
            table = pl.read_ndjson(whole, schema=dict.fromkeys([*required, *optional], pl.String))
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
        reason = str(error).partition("\n")[0]
        raise _first_fault(path, required, optional) or DataError(f"{path}: {reason}") from None
    missing = table.select(pl.any_horizontal(pl.col(required).is_null()).any()).item()
    if table.is_empty() or missing or _may_be_nested(table):
        fault = _first_fault(path, required, optional)
        if fault:
            raise fault
    return table.with_columns(pl.col(optional).fill_null(""))


def _may_be_nested(table: pl.DataFrame) -> bool:
    """Whether some text is the JSON of a list or an object: polars takes these for texts, too."""
    return any(
        _is_json(text)
        for column in table.iter_columns()
        for text in column.filter(column.str.contains(r"(?s)^(\[.*\]|\{.*\})$"))
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _first_fault(path: Path, required: list[str], optional: list[str]) -> DataError | None:
    number = objects = 0
    try:
        with opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                objects += 1
                fault = _fault(line, required, optional)
                if fault:
                    return DataError(f"{path}, line {number}: {fault}")
    except (EOFError, zlib.error, BadGzipFile) as broken:
        return DataError(f"{path}, after line {number}: {broken}; {CUT_OFF}")
    except OSError as error:
        return DataError(f"{path}: {error.strerror or error}")
    if objects == 0:
        return DataError(f"{path}: the file is empty; expected one JSON object a line")
    return None


def _fault(line: bytes, required: list[str], optional: list[str]) -> str:
    """Say what is wrong with one line, or nothing."""
    try:
        content: Any = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        return f"not UTF-8 ({error.reason} at byte {error.start}); convert the file to UTF-8"
    except (ValueError, RecursionError) as error:
        return f"not JSON ({error}); the line is {line[:40]!r}"
    if not isinstance(content, dict):
        return f"expected a JSON object with {', '.join(required)}, found {line[:40]!r}"
    for name in required:
        if content.get(name) is None:
            return f"no field {name!r}; found {', '.join(content) or 'none'}"
    for name in (*required, *optional):
        if isinstance(content.get(name), list | dict):
            return f"field {name!r} is {str(content[name])[:40]!r}, expected text"
    return ""


def _refuse(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(f"{name} is no value of JSON")
