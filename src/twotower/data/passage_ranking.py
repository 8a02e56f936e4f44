"""Format `passage-ranking`: MS MARCO's TSV files.

collection.tsv[.gz] (pid, text), queries.<split>.tsv (qid, text), qrels.<split>.tsv (qid, 0, pid,
grade), all without header. Any split name is taken; each queries file needs its qrels file.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from twotower.data.raw import RawCorpus, refuse_duplicates, split_name
from twotower.data.tsv import read_tsv
from twotower.errors import DataError

COLLECTIONS = ("collection.tsv", "collection.tsv.gz")
QUERY = {"qid": pl.Int64, "text": pl.String}
PASSAGE = {"pid": pl.Int64, "text": pl.String}
QREL = {"qid": pl.Int64, "iteration": pl.String, "pid": pl.Int64, "grade": pl.Int32}


def files(folder: Path) -> list[Path]:
    """Give the collection, queries and qrels files of a folder, or none without a collection."""
    collection = [folder / name for name in COLLECTIONS if (folder / name).is_file()][:1]
    if not collection:
        return []
    return [*collection, *sorted(folder.glob("queries.*.tsv")), *sorted(folder.glob("qrels.*.tsv"))]


def read(folder: Path) -> RawCorpus:
    """Read a folder of passage-ranking files; ids must be unique and qrels must be to known ids."""
    collection, *_ = files(folder)
    passages = read_tsv(collection, PASSAGE)
    refuse_duplicates(passages, "pid", str(collection))
    queries, qrels = [], []
    for split in _splits(folder):
        of_split = read_tsv(folder / f"queries.{split}.tsv", QUERY)
        refuse_duplicates(of_split, "qid", f"{folder}/queries.{split}.tsv")
        judged = read_tsv(folder / f"qrels.{split}.tsv", QREL).drop("iteration")
        _refuse_unknown(judged, of_split, passages, folder / f"qrels.{split}.tsv")
        queries.append(of_split.with_columns(split=pl.lit(split_name(split))))
        qrels.append(judged.with_columns(split=pl.lit(split_name(split))))
    return RawCorpus(passages, pl.concat(queries), pl.concat(qrels))


def _splits(folder: Path) -> list[str]:
    queries, qrels = _named(folder, "queries"), _named(folder, "qrels")
    if not queries or queries != qrels:
        alone = ", ".join(sorted(queries ^ qrels)) or "none found"
        raise DataError(
            f"{folder}: each split needs queries.<split>.tsv and qrels.<split>.tsv; "
            f"without a partner: {alone}"
        )
    return sorted(queries)


def _named(folder: Path, kind: str) -> set[str]:
    """Give the splits that have a file of one kind; a name may hold dots, as in dev.small."""
    paths = folder.glob(f"{kind}.*.tsv")
    return {path.name.removeprefix(f"{kind}.").removesuffix(".tsv") for path in paths}


def _refuse_unknown(
    qrels: pl.DataFrame, queries: pl.DataFrame, passages: pl.DataFrame, path: Path
) -> None:
    for column, table, file in (("qid", queries, "queries"), ("pid", passages, "collection")):
        unknown = qrels.with_row_index("line", offset=1).join(table, on=column, how="anti")
        if not unknown.is_empty():
            line, value = unknown.select("line", column).row(0)
            raise DataError(
                f"{path}, line {line}: {column} {value} is not in the {file} file "
                f"({len(unknown)} such lines); remove them or add the missing texts"
            )
