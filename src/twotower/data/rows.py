"""Corpus tables as row numbers: what the torch rooms work with, where qids and pids mean nothing.

Row i of a token store is row i of the corpus table of the same name.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from twotower.artifacts import Corpus


class Relevant(NamedTuple):
    """The relevant (query, passage) pairs of a split, as parallel int64 arrays."""

    query_rows: np.ndarray
    passage_rows: np.ndarray
    text_ids: np.ndarray
    """equal where the queries' texts are equal, but for case"""


def relevant(corpus: Corpus, split: str) -> Relevant:
    """Give every relevant pair of train or dev, in the order of the qrels."""
    qrels = corpus.qrels.filter((pl.col("split") == split) & (pl.col("grade") >= 1))
    query_rows, passage_rows = found(corpus, qrels)
    text_ids = corpus.queries["text"].str.to_lowercase().rank("dense").cast(pl.Int64).to_numpy()
    return Relevant(query_rows, passage_rows, text_ids[query_rows])


def unselected(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Give the (query, passage) rows of train that are known not to be relevant: int64 each."""
    return found(corpus, corpus.qrels.filter((pl.col("split") == "train") & (pl.col("grade") < 1)))


def found(corpus: Corpus, run: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Give the (query, passage) rows of a table with qid and pid, in its order: int64 each."""
    queries = corpus.queries.select("qid").with_row_index("query_row")
    passages = corpus.passages.select("pid").with_row_index("passage_row")
    placed = run.join(queries, on="qid", maintain_order="left").join(
        passages, on="pid", maintain_order="left"
    )
    rows = placed.select(pl.col("query_row", "passage_row").cast(pl.Int64))
    return rows["query_row"].to_numpy(), rows["passage_row"].to_numpy()


def training(corpus: Corpus) -> pl.DataFrame:
    """Give the train queries: qid, text."""
    return corpus.queries.filter(pl.col("split") == "train").select("qid", "text")


def asked(corpus: Corpus) -> pl.DataFrame:
    """Give the queries that systems are run on, all splits but train: qid, text, split, row."""
    return corpus.queries.with_row_index("row").filter(pl.col("split") != "train")
