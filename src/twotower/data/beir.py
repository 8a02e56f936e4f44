"""Format `beir`: corpus.jsonl, queries.jsonl and qrels/<split>.tsv, as BEIR's sets have them.

corpus.jsonl: _id, title (may be missing), text. queries.jsonl: _id, text. Each qrels file has a
header line and then query-id, corpus-id, score, separated by tabs. A passage is its title, a blank
and its text, as BEIR's own dense retrievers read it. A query's split is that of the qrels file
that names it; queries that none names are counted and left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from twotower.config import Data
from twotower.data.jsonl import read_jsonl
from twotower.data.raw import RawCorpus, refuse_duplicates, refuse_unknown, split_name
from twotower.data.tsv import first_line, read_tsv
from twotower.errors import DataError

PART = re.compile(r"(?:corpus|queries)\.jsonl(?:\.gz)?|qrels/[^/]+\.tsv")
QREL = {"query-id": pl.String, "corpus-id": pl.String, "score": pl.Int32}
UNASKED = "unjudged"
"""The split of the queries that no qrels file names."""


def is_part(name: str) -> bool:
    """Whether a path within a folder is one of this format's."""
    return PART.fullmatch(name) is not None


def files(folder: Path) -> list[Path]:
    """Give the files of a folder, or none without a corpus.jsonl."""
    paths = sorted([*folder.iterdir(), *folder.glob("qrels/*")])
    found = [path for path in paths if is_part(path.relative_to(folder).as_posix())]
    return found if any(path.name.startswith("corpus.") for path in found) else []


def read(folder: Path, _data: Data) -> RawCorpus:
    """Read a BEIR folder; ids must be unique and qrels must be to known ids."""
    corpus, queries = _only(folder, "corpus"), _only(folder, "queries")
    texts = read_jsonl(corpus, ["_id", "text"], ["title"])
    refuse_duplicates(texts.rename({"_id": "id"}), "id", str(corpus), line=1)
    asked = read_jsonl(queries, ["_id", "text"], [])
    refuse_duplicates(asked.rename({"_id": "id"}), "id", str(queries), line=1)
    passages = _numbered(texts, "pid").with_columns(
        text=(pl.col("title") + " " + pl.col("text")).str.strip_chars(" ")
    )
    asked = _numbered(asked, "qid")
    splits, qrels = [], []
    for path in sorted(folder.glob("qrels/*.tsv")):
        judged = _read_qrels(path, asked, passages)
        qrels.append(judged)
        split = split_name(path.name.removesuffix(".tsv"))
        splits.append(
            judged.select("qid").unique(maintain_order=True).with_columns(split=pl.lit(split))
        )
    if not qrels:
        raise DataError(f"{folder}: no qrels/<split>.tsv; expected qrels/train.tsv, qrels/test.tsv")
    named = asked.join(pl.concat(splits), on="qid", how="left", maintain_order="left")
    return RawCorpus(
        _table(passages, "pid", "text"),
        _table(named.with_columns(pl.col("split").fill_null(UNASKED)), "qid", "text", "split"),
        pl.concat(qrels),
    )


def _only(folder: Path, name: str) -> Path:
    found = [path for path in files(folder) if path.name.startswith(f"{name}.")]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{folder}: expected one {name}.jsonl or {name}.jsonl.gz, found {names}")
    return found[0]


def _numbered(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Add whole-number ids: the source's own where all are such, else rows from 0 on."""
    number = pl.col("_id").cast(pl.Int64, strict=False)
    if table.select((number.cast(pl.String) == pl.col("_id")).fill_null(value=False).all()).item():
        return table.with_columns(number.alias(name))
    numbered = table.with_row_index(name).cast({name: pl.Int64})
    return numbered.with_columns(source_id=pl.col("_id"))


def _read_qrels(path: Path, queries: pl.DataFrame, passages: pl.DataFrame) -> pl.DataFrame:
    last = first_line(path).rpartition("\t")[2]
    if last.strip().lstrip("+-").isdigit():
        raise DataError(
            f"{path}, line 1: expected the header {' <tab> '.join(QREL)}, found a label; put the "
            "header in front of it"
        )
    qrels = read_tsv(path, QREL, header=True)
    ids = {"query-id": queries.select("qid", "_id"), "corpus-id": passages.select("pid", "_id")}
    for column, known in ids.items():
        refuse_unknown(qrels, column, known.select(pl.col("_id").alias(column)), path, line=2)
        qrels = qrels.join(known, left_on=column, right_on="_id", maintain_order="left")
    return qrels.select("qid", "pid", grade="score")


def _table(table: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Keep the columns, and the source's own ids where the numbers are ours."""
    return table.select(*columns, *[name for name in ("source_id",) if name in table.columns])
