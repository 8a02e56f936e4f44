"""Format `qna`: the Parquet files of the hub's `microsoft/ms_marco` (v1.1 and v2.1).

One row a query: query_id, query, and passages{is_selected, passage_text, url}. The split is the
file name's first part: train-00000-of-00001.parquet, validation-..., test-... (`qna-` in front is
allowed). Relevant means is_selected == 1; -1 marks rows whose labels are withheld. Every candidate
is a qrel, with is_selected as its grade; one whose text is null is an empty passage.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from twotower.config import Data
from twotower.data.raw import (
    BAD_PARQUET,
    RawCorpus,
    parquet_schema,
    refuse_duplicates,
    split_of_file,
)
from twotower.errors import DataError

COLUMNS = ("query_id", "query", "passages")
FIELDS = ("is_selected", "passage_text")


def is_part(name: str) -> bool:
    """Whether a path within a folder is one of this format's."""
    return name.endswith(".parquet") and "/" not in name


def files(folder: Path) -> list[Path]:
    """Give the Parquet files of a folder, if the first has candidate passages or is no Parquet."""
    found = sorted(path for path in folder.iterdir() if is_part(path.name))
    return found if found and _has_candidates(found[0]) else []


def read(folder: Path, _data: Data) -> RawCorpus:
    """Read every Parquet file; a passage's id is its place among all passages of all rows."""
    found = sorted(path for path in folder.iterdir() if is_part(path.name))
    rows = pl.concat(_read_file(path) for path in found)
    refuse_duplicates(rows, "qid", str(folder))
    candidates = rows.filter(pl.col("passage_text").list.len() > 0)
    candidates = candidates.select("qid", "is_selected", pl.col("passage_text").alias("text"))
    candidates = candidates.explode("is_selected", "text").with_row_index("pid")
    candidates = candidates.with_columns(pl.col("text").fill_null(""), pl.col("pid").cast(pl.Int64))
    return RawCorpus(
        passages=candidates.select("pid", "text"),
        queries=rows.select("qid", "text", "split"),
        qrels=candidates.select("qid", "pid", grade="is_selected"),
    )


def _has_candidates(path: Path) -> bool:
    try:
        return "passages" in parquet_schema(path)
    except DataError:
        return True  # reading it will say what is wrong with it


def _read_file(path: Path) -> pl.DataFrame:
    """Give qid, text, split, is_selected list, passage_text list for each row of a file."""
    names = parquet_schema(path)
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; found {', '.join(names)}")
    try:
        table = pl.read_parquet(path, columns=list(COLUMNS), glob=False)
    except BAD_PARQUET as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not readable as Parquet, fetch it again: {reason}") from None
    rows = _in_types(table, path)
    _refuse_uneven(rows, path)
    _refuse_other_labels(rows, path)
    refuse_duplicates(rows.drop("split"), "qid", str(path), line=1)
    return rows


def _in_types(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Give the columns in their types here; whole numbers in a text are taken, fractions not."""
    if table.schema["query_id"].is_float():
        raise DataError(f"{path}: query_id holds fractions, expected whole numbers")
    passages = pl.col("passages").struct
    try:
        _refuse_lossy(table.clear().select("query", *(passages.field(name) for name in FIELDS)))
        return table.select(
            pl.col("query_id").cast(pl.Int64).alias("qid"),
            pl.col("query").cast(pl.String).alias("text"),
            pl.lit(split_of_file(path)).alias("split"),
            passages.field("is_selected").cast(pl.List(pl.Int32)),
            passages.field("passage_text").cast(pl.List(pl.String)),
        )
    except pl.exceptions.PolarsError as error:
        found = ", ".join(f"{name} {kind}" for name, kind in table.schema.items())
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{path}: expected query_id (whole numbers), query (text) and passages (a struct of "
            f"lists is_selected and passage_text); found {found}: {reason}"
        ) from None


def _refuse_lossy(table: pl.DataFrame) -> None:
    """Raise for types that polars would cast all the same: fractions, and nested ones to text."""
    kinds = table.explode(*FIELDS).schema
    wrong = [name for name in ("query", "passage_text") if kinds[name].is_nested()]
    wrong += ["is_selected"] if kinds["is_selected"].is_float() else []
    if wrong:
        raise pl.exceptions.InvalidOperationError(f"{', '.join(wrong)} cannot be read so")


def _refuse_uneven(rows: pl.DataFrame, path: Path) -> None:
    """Labels and texts of a row are parallel lists; no query may be missing. Row 1 is the first."""
    if rows.is_empty():
        raise DataError(f"{path}: the file has no rows")
    uneven = pl.col("is_selected").list.len().ne_missing(pl.col("passage_text").list.len())
    bad = rows.with_row_index("row", offset=1).filter(
        uneven | pl.col("qid").is_null() | pl.col("text").is_null()
    )
    if not bad.is_empty():
        raise DataError(
            f"{path}, row {bad['row'][0]} of {len(rows)} (query_id {bad['qid'][0]}): "
            "query or id is missing, or is_selected and passage_text have different lengths"
        )


def _refuse_other_labels(rows: pl.DataFrame, path: Path) -> None:
    """A label is 1, 0 or -1; null counts as no label."""
    other = rows.with_row_index("row", offset=1).filter(
        pl.col("is_selected").list.eval(~pl.element().is_in([-1, 0, 1])).list.any()
    )
    if not other.is_empty():
        raise DataError(
            f"{path}, row {other['row'][0]} of {len(rows)} (query_id {other['qid'][0]}): "
            "is_selected holds a label that is not 1, 0 or -1"
        )
