"""Format `pairs`: labelled pairs or triplets of texts, in TSV with a header line or in Parquet.

Pairs: query, document, label (1 relevant, 0 not, -1 unknown). Triplets: query, positive, negative.
The names of the columns are parameters (data.query_column and its neighbours). The split is what
the file's name begins with (train.tsv, test-00000-of-00002.parquet); a single file of any other
name is train. Texts have no ids here: equal texts are one query, or one passage.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from twotower.config import Data
from twotower.data.raw import BAD_PARQUET, RawCorpus, parquet_schema, split_of_file
from twotower.data.tsv import first_line, read_tsv
from twotower.errors import DataError
from twotower.text.words import normalised

# queries.<split>.tsv and qrels.<split>.tsv are of another format that lacks its collection.
PART = re.compile(r"(?!(?:queries|qrels)\.)[^/]+\.(tsv|tsv\.gz|parquet)")
KNOWN = ("train", "dev", "test")
LABELS = (-1.0, 0.0, 1.0)


def is_part(name: str) -> bool:
    """Whether a path within a folder is one of this format's."""
    return PART.fullmatch(name) is not None


def files(folder: Path) -> list[Path]:
    """Give the TSV and Parquet files of a folder."""
    return sorted(path for path in folder.iterdir() if is_part(path.name))


def read(folder: Path, data: Data) -> RawCorpus:
    """Read every file, and number its texts."""
    found = files(folder)
    alone = len(found) == 1 and split_of_file(found[0]) not in KNOWN
    pairs = pl.concat(
        _read_file(path, data).with_columns(split=pl.lit("train" if alone else split_of_file(path)))
        for path in found
    )
    # Texts that differ in white space alone are one, as they will be in the corpus.
    same_query, same_document = normalised(pl.col("query")), normalised(pl.col("document"))
    pairs = pairs.with_columns(same_query=same_query, same_document=same_document)
    asked, listed = ["same_query", "split"], ["same_document"]
    queries = pairs.unique(asked, keep="first", maintain_order=True).with_row_index("qid")
    passages = pairs.unique(listed, keep="first", maintain_order=True).with_row_index("pid")
    qrels = pairs.join(queries.select("qid", *asked), on=asked, maintain_order="left")
    qrels = qrels.join(passages.select("pid", *listed), on=listed, maintain_order="left")
    numbers = pl.col("qid", "pid").cast(pl.Int64)
    return RawCorpus(
        passages.select("pid", text="document").cast({"pid": pl.Int64}),
        queries.select("qid", text="query", split="split").cast({"qid": pl.Int64}),
        qrels.select(numbers, grade="label"),
    )


def _read_file(path: Path, data: Data) -> pl.DataFrame:
    """Give query, document, label of each pair of a file."""
    names = _column_names(path)
    pair = {
        data.query_column: "query",
        data.document_column: "document",
        data.label_column: "label",
    }
    triplet = {
        data.query_column: "query",
        data.positive_column: "positive",
        data.negative_column: "negative",
    }
    wanted = pair if pair.keys() <= set(names) else triplet
    if len(wanted) < 3:
        raise DataError(
            f"data.query_column and its neighbours must name three columns of {path.name}, each a "
            f"different one; they name {' and '.join(wanted)}"
        )
    if not wanted.keys() <= set(names):
        raise DataError(
            f"{path}: expected columns {', '.join(pair)} (pairs) or {', '.join(triplet)} "
            f"(triplets), found {', '.join(names) or 'none'}; data.query_column and its neighbours "
            "name them"
        )
    table = _read_columns(path, names, wanted)
    _refuse_missing(table, path)
    return table.cast({"label": pl.Int32}) if wanted is pair else _as_pairs(table)


def _column_names(path: Path) -> list[str]:
    if path.suffix != ".parquet":
        return first_line(path).split("\t")
    return list(parquet_schema(path))


def _read_columns(path: Path, names: list[str], wanted: dict[str, str]) -> pl.DataFrame:
    """Give the wanted columns, renamed; a label in Parquet as a fraction, so that none is cut."""
    if path.suffix == ".parquet":
        return _read_parquet(path, wanted)
    kinds: dict[str, type[pl.DataType]] = {
        name: pl.Int32 if wanted.get(name) == "label" else pl.String for name in names
    }
    if len(kinds) != len(names):
        raise DataError(f"{path}, line 1: a column stands there twice: {', '.join(names)}")
    return read_tsv(path, kinds, header=True).select(list(wanted)).rename(wanted)


def _read_parquet(path: Path, wanted: dict[str, str]) -> pl.DataFrame:
    cast = {name: pl.Float64() if wanted[name] == "label" else pl.String() for name in wanted}
    try:
        table = pl.read_parquet(path, columns=list(wanted), glob=False)
        nested = [name for name, kind in table.schema.items() if kind.is_nested()]
        if nested:  # polars writes some of them out as a text
            raise pl.exceptions.InvalidOperationError(f"{', '.join(nested)} cannot be read so")
        return table.cast(cast).rename(wanted)  # type: ignore[arg-type]
    except BAD_PARQUET as error:
        reason = str(error).partition("\n")[0]
        expected = ", ".join(
            f"{name} ({'1, 0 or -1' if wanted[name] == 'label' else 'text'})" for name in wanted
        )
        raise DataError(f"{path}: expected {expected}: {reason}") from None


def _refuse_missing(table: pl.DataFrame, path: Path) -> None:
    """No field may be null, and labels are those that have a meaning."""
    line = 1 if path.suffix == ".parquet" else 2
    where = "row" if path.suffix == ".parquet" else "line"
    rows = table.with_row_index("row", offset=line)
    empty = rows.filter(pl.any_horizontal(pl.exclude("row").is_null()))
    if not empty.is_empty():
        raise DataError(f"{path}, {where} {empty['row'][0]}: a text or label is missing")
    if table.is_empty():
        raise DataError(f"{path}: the file has no rows")
    if "label" in table.columns:
        other = rows.filter(~pl.col("label").cast(pl.Float64).is_in(LABELS))
        if not other.is_empty():
            raise DataError(
                f"{path}, {where} {other['row'][0]}: label is {other['label'][0]}, expected 1 "
                "(relevant), 0 (not) or -1 (unknown)"
            )


def _as_pairs(triplets: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        triplets.select("query", document=name, label=pl.lit(label, pl.Int32))
        for name, label in (("positive", 1), ("negative", 0))
    )
