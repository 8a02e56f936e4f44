"""A run: what a system retrieved, as one table (qid, pid, score), the same for every system.

Ties have one order everywhere: by pid as a text, descending. That is trec_eval's order on exported
files, and knows nothing of relevance. Which of many ties at a search's depth are still retrieved is
the search's own choice, by their rows in the pool.

Q queries, K retrieved, N passages.
"""

from __future__ import annotations

import numpy as np
import polars as pl


def make_run(
    qids: pl.Series, pids: pl.Series, scores_QK: np.ndarray, rows_QK: np.ndarray
) -> pl.DataFrame:
    """Build a run from search results; rows_QK are rows of `pids`, negative where none was found.

    Gives qid int64, pid int64, score float32, best first a query, in the order of `qids`.
    """
    table = pl.DataFrame(
        {
            "qid": np.repeat(qids.to_numpy(), rows_QK.shape[1]),
            "row": rows_QK.ravel().astype(np.int64),
            "score": scores_QK.ravel().astype(np.float32),
        }
    ).filter(pl.col("row") >= 0)
    return in_order(table.select("qid", pids.gather(table["row"]).alias("pid"), "score"), qids)


def no_run() -> pl.DataFrame:
    """Give the run that retrieved nothing."""
    return pl.DataFrame(schema={"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32})


def in_order(run: pl.DataFrame, qids: pl.Series) -> pl.DataFrame:
    """Sort a run: queries as in `qids`, then best score first, then the order of ties."""
    place = pl.DataFrame({"qid": qids}).with_row_index("place")
    sorted_run = run.join(place, on="qid").sort(
        "place", "score", pl.col("pid").cast(pl.String), descending=[False, True, True]
    )
    return sorted_run.select("qid", "pid", "score")
