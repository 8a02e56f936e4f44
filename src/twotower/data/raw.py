"""What every format reader gives: the same three tables, as the files have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.errors import DataError

TEXTS = {"qid": "queries", "pid": "collection", "query-id": "queries", "corpus-id": "corpus"}
"""Which file holds the texts of an id, by the name of its column."""


@dataclass(frozen=True)
class RawCorpus:
    """Tables before cleaning: texts may repeat or be empty, queries may lack a positive."""

    passages: pl.DataFrame
    """pid int64 (unique), text; and source_id, where the source's ids are no whole numbers"""
    queries: pl.DataFrame
    """qid int64 (unique over all splits), text, split; and source_id likewise"""
    qrels: pl.DataFrame
    """qid int64, pid int64, grade int32: every passage that a query lists. 1 and above is relevant,
    0 is not, below 0 is unknown."""


BAD_PARQUET = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars raises for a damaged Parquet file."""


def split_name(name: str) -> str:
    """Give a split's name here: the hub's `validation` selects the model, so it is `dev`."""
    return "dev" if name == "validation" else name


def split_of_file(path: Path) -> str:
    """Give the split that a file's name begins with: train-00000-of-00001.parquet, test.tsv.gz."""
    return split_name(path.name.removeprefix("qna-").split("-")[0].split(".")[0])


def parquet_schema(path: Path) -> pl.Schema:
    """Give the columns of a Parquet file; raises DataError if it is none."""
    try:
        with path.open("rb") as file:  # polars would take the name for a pattern
            return pl.Schema(pl.read_parquet_schema(file))
    except BAD_PARQUET as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not readable as Parquet, fetch it again: {reason}") from None


def refuse_duplicates(table: pl.DataFrame, column: str, where: str, *, line: int = 0) -> None:
    """Raise if an id stands twice in a table; `where` names its file or files.

    line: the file's line of the first row, where the table is one file, so that it can be named.
    """
    twice = table.with_row_index("line", offset=line).filter(pl.col(column).is_duplicated())
    if twice.is_empty():
        return
    value = twice[column][0]
    lines = twice.filter(pl.col(column) == value)["line"].head(2).to_list()
    # Blank lines of JSON Lines are no rows; TSV has none.
    kind = "lines" if ".tsv" in where else "rows"
    at = f" ({kind} {lines[0]} and {lines[1]})" if line else ""
    raise DataError(
        f"{where}: {column} {value} stands there more than once{at} ({twice[column].n_unique()} "
        f"such ids{_splits_of(table, column, value)}); every id must be unique"
    )


def refuse_unknown(
    qrels: pl.DataFrame, column: str, known: pl.DataFrame, where: Path, *, line: int = 1
) -> None:
    """Raise if qrels name an id that no table of texts has; line: the file's line of row 0."""
    unknown = qrels.with_row_index("line", offset=line).join(known, on=column, how="anti")
    if not unknown.is_empty():
        number, value = unknown.sort("line").select("line", column).row(0)
        texts = TEXTS[column]
        raise DataError(
            f"{where}, line {number}: {column} {value} is not in the {texts} file "
            f"({len(unknown)} such lines); remove them or add the missing texts"
        )


def _splits_of(table: pl.DataFrame, column: str, value: int | str) -> str:
    """Say where an id of a table of several splits stands."""
    if "split" not in table.columns:
        return ""
    splits = table.filter(pl.col(column) == value)["split"].unique(maintain_order=True)
    return f"; this one in {' and '.join(splits)}"
