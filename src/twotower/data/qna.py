"""Format `qna`: the Parquet files of the hub's `microsoft/ms_marco` (v1.1 and v2.1).

One row a query: query_id, query, and passages{is_selected, passage_text, url}. The split is the
file name's first part: train-00000-of-00001.parquet, validation-..., test-... (`qna-` in front is
allowed). Relevant means is_selected == 1; -1 marks rows whose labels are withheld.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from twotower.data.raw import RawCorpus, refuse_duplicates, split_name
from twotower.errors import DataError

COLUMNS = ("query_id", "query", "passages")


def files(folder: Path) -> list[Path]:
    """Give the Parquet files of a folder."""
    return sorted(folder.glob("*.parquet"))


def read(folder: Path) -> RawCorpus:
    """Read every Parquet file; a passage's id is its place among all passages of all rows."""
    rows = pl.concat(_read_file(path) for path in files(folder))
    refuse_duplicates(rows, "qid", str(folder))
    candidates = rows.select("qid", "split", "is_selected", "passage_text").explode(
        "is_selected", "passage_text"
    )
    candidates = candidates.filter(pl.col("passage_text").is_not_null())
    candidates = candidates.with_row_index("pid").cast({"pid": pl.Int64})
    selected = candidates.filter(pl.col("is_selected") == 1)
    unlabelled = candidates.filter(pl.col("is_selected") < 0)
    return RawCorpus(
        passages=candidates.select("pid", text="passage_text"),
        queries=rows.select("qid", "text", "split"),
        qrels=selected.select("qid", "pid", "split", grade=pl.lit(1, pl.Int32)),
        counts={"queries_unlabelled": unlabelled["qid"].n_unique()},
    )


def _read_file(path: Path) -> pl.DataFrame:
    """Give qid, text, split, is_selected list, passage_text list for each row of a file."""
    try:
        names = pl.read_parquet_schema(path)
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise DataError(f"{path}: no column {', '.join(missing)}; found {', '.join(names)}")
        table = pl.read_parquet(path, columns=list(COLUMNS), glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not readable as Parquet, fetch it again: {reason}") from None
    rows = _in_types(table, path)
    _refuse_uneven(rows, path)
    refuse_duplicates(rows.drop("split"), "qid", str(path))
    return rows


def _in_types(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Give the columns in their types here; whole numbers in a text are taken, fractions not."""
    if table.schema["query_id"].is_float():
        raise DataError(f"{path}: query_id holds fractions, expected whole numbers")
    passages = pl.col("passages").struct
    try:
        return table.select(
            pl.col("query_id").cast(pl.Int64).alias("qid"),
            pl.col("query").cast(pl.String).alias("text"),
            pl.lit(_split(path)).alias("split"),
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


def _split(path: Path) -> str:
    return split_name(path.stem.removeprefix("qna-").split("-")[0].split(".")[0])
