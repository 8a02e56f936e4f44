"""BM25 by bm25s: the lexical baseline that every figure stands beside.

Lucene's form, English stop words, no stemming: on MS MARCO's full collection this scores MRR@10
.184 to .189.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import polars as pl

from twotower.config import Bm25
from twotower.errors import DataError
from twotower.retrieval.runs import make_run


def search(passages: pl.DataFrame, queries: pl.DataFrame, depth: int, config: Bm25) -> pl.DataFrame:
    """Give the run of all queries (qid, text) over all passages (pid, text), `depth` a query.

    Passages that share no word with the query are not retrieved. Raises DataError if no passage has
    a word that can be indexed.
    """
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)

    def tokens(texts: pl.Series, **options: bool) -> Any:
        return bm25s.tokenize(texts.to_list(), stopwords="en", show_progress=False, **options)

    index = bm25s.BM25(method="lucene", k1=config.k1, b=config.b)
    pool = tokens(passages["text"])
    if not pool.vocab:
        raise DataError(
            f"none of the {len(passages)} passages has a word that BM25 takes: two letters or "
            "more, and no English stop word"
        )
    index.index(pool, show_progress=False)
    found = index.retrieve(
        tokens(queries["text"], return_ids=False),
        k=min(depth, len(passages)),
        show_progress=False,
        backend_selection="numpy",  # "auto" takes jax where that happens to be installed
    )
    rows_QK = np.where(found.scores > 0, found.documents, -1)
    return make_run(queries["qid"], passages["pid"], found.scores, rows_QK)
