"""Format `passage-ranking`: MS MARCO's TSV files, and TREC Deep Learning's beside them.

collection.tsv (pid, text), queries.<split>.tsv (qid, text), qrels.<split>.tsv (qid, 0, pid, grade),
all without header, plain or .gz. Qrels may be separated by blanks, as TREC's are. TREC's own names
are known: msmarco-test2019-queries.tsv and 2019qrels-pass.txt are the split dl19.

Official files overlap: `dev.small`, which is called `test` here as it is what MS MARCO's figures
are of, is part of `dev`. A query stays in the first of dev.small, the other splits with qrels, and
the splits without (queries.eval.tsv), whose queries are read to be counted.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from twotower.config import Data
from twotower.data.raw import RawCorpus, refuse_duplicates, refuse_unknown, split_name
from twotower.data.tsv import first_line, read_tsv
from twotower.errors import DataError

QUERY = {"qid": pl.Int64, "text": pl.String}
PASSAGE = {"pid": pl.Int64, "text": pl.String}
QREL = {"qid": pl.Int64, "iteration": pl.String, "pid": pl.Int64, "grade": pl.Int32}

COLLECTION = re.compile(r"collection\.tsv(\.gz)?")
QUERIES = re.compile(r"(?:queries\.(.+)\.tsv|msmarco-test20(\d\d)-queries\.tsv)(?:\.gz)?")
QRELS = re.compile(r"(?:qrels\.(.+)\.tsv|20(\d\d)qrels-pass\.txt)(?:\.gz)?")
USUAL_TEST = "dev.small"


def is_part(name: str) -> bool:
    """Whether a path within a folder is one of this format's."""
    return any(pattern.fullmatch(name) for pattern in (COLLECTION, QUERIES, QRELS))


def is_trec(name: str) -> bool:
    """Whether a file's name is one that TREC gave it."""
    return is_part(name) and not name.startswith(("collection.", "queries.", "qrels."))


def files(folder: Path) -> list[Path]:
    """Give the collection, queries and qrels files of a folder, or none without a collection."""
    found = sorted(path for path in folder.iterdir() if is_part(path.name))
    collections = [path for path in found if COLLECTION.fullmatch(path.name)]
    return [path for path in found if path not in collections[1:]] if collections else []


def read(folder: Path, _data: Data) -> RawCorpus:
    """Read a folder of passage-ranking files; ids must be unique and qrels must be to known ids."""
    collection = next(path for path in files(folder) if COLLECTION.fullmatch(path.name))
    passages = read_tsv(collection, PASSAGE)
    refuse_duplicates(passages, "pid", str(collection), line=1)
    queries_files, qrels_files = _by_split(folder, QUERIES), _by_split(folder, QRELS)
    alone = ", ".join(sorted(qrels_files.keys() - queries_files.keys()))
    if alone or not qrels_files:
        raise DataError(
            f"{folder}: each split needs queries.<split>.tsv, and qrels.<split>.tsv if it is to be "
            f"used; qrels without queries: {alone or 'no qrels at all'}"
        )
    queries = {split: _read_queries(path) for split, path in queries_files.items()}
    qrels = [
        _read_qrels(path, queries[split], passages) for split, path in sorted(qrels_files.items())
    ]
    return RawCorpus(passages, _apart(queries, set(qrels_files)), pl.concat(qrels))


def _by_split(folder: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """Give the files of a kind by their split."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = pattern.fullmatch(path.name)
        if match:
            split = match[1] or f"dl{match[2]}"
            if split in found:
                raise DataError(f"{folder}: split {split} has {found[split].name} and {path.name}")
            found[split] = path
    return found


def _read_queries(path: Path) -> pl.DataFrame:
    queries = read_tsv(path, QUERY)
    refuse_duplicates(queries, "qid", str(path), line=1)
    return queries


def _read_qrels(path: Path, queries: pl.DataFrame, passages: pl.DataFrame) -> pl.DataFrame:
    separator = "\t" if "\t" in first_line(path) else " "
    qrels = read_tsv(path, QREL, separator=separator).drop("iteration")
    refuse_unknown(qrels, "qid", queries, path)
    refuse_unknown(qrels, "pid", passages, path)
    return qrels


def _apart(queries: dict[str, pl.DataFrame], labelled: set[str]) -> pl.DataFrame:
    """Give every query once, with its split; a query of two labelled splits stays in both."""
    order = sorted(queries, key=lambda split: (split != USUAL_TEST, split not in labelled, split))
    test = "test" if USUAL_TEST in labelled and "test" not in labelled else USUAL_TEST
    tables: list[pl.DataFrame] = []
    for split in order:
        table = queries[split]
        if tables and (split not in labelled or split == "dev"):
            table = table.join(pl.concat(tables), on="qid", how="anti", maintain_order="left")
        name = test if split == USUAL_TEST else split_name(split)
        tables.append(table.with_columns(split=pl.lit(name)))
    return pl.concat(tables)
