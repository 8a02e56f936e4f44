"""Corpus tables as row numbers: what the torch rooms work with, where qids and pids mean nothing.

Row i of a token store is row i of the corpus table of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from twotower.artifacts import Corpus


@dataclass(frozen=True)
class Relevant:
    """The relevant (query, passage) pairs of a split, as parallel int64 arrays."""

    query_rows: np.ndarray
    passage_rows: np.ndarray
    text_ids: np.ndarray
    """equal where the queries' texts are equal, but for case"""


def relevant(corpus: Corpus, split: str) -> Relevant:
    """Give every relevant pair of train or dev, in the order of the qrels."""
    qrels = corpus.qrels.filter(pl.col("split") == split)
    queries = corpus.queries.with_row_index("query_row").select(
        "qid", "query_row", pl.col("text").str.to_lowercase().rank("dense").alias("text_id")
    )
    passages = corpus.passages.with_row_index("passage_row").select("pid", "passage_row")
    pairs = (
        qrels.filter(pl.col("grade") >= 1)
        .join(queries, on="qid", maintain_order="left")
        .join(passages, on="pid", maintain_order="left")
        .cast({"query_row": pl.Int64, "passage_row": pl.Int64, "text_id": pl.Int64})
    )
    return Relevant(*(pairs[name].to_numpy() for name in ("query_row", "passage_row", "text_id")))


def asked(corpus: Corpus) -> pl.DataFrame:
    """Give the queries that systems are run on, all splits but train: qid, text, split, row."""
    return corpus.queries.with_row_index("row").filter(pl.col("split") != "train")
