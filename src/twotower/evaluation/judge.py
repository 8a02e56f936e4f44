"""From a run and qrels to arrays of grades, and from those to every reported metric.

Q judged queries, K ranks, J judged passages of a query.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from twotower.errors import DataError
from twotower.evaluation import metrics


@dataclass(frozen=True)
class Judged:
    """A run seen through the qrels of one split."""

    grades_QK: np.ndarray
    """int64, grade at each rank; 0 for unjudged passages and where nothing was retrieved"""
    relevant_QK: np.ndarray
    """bool, whether that grade counts as relevant"""
    judged_QJ: np.ndarray
    """int64, grades of all judged passages, 0 fills up"""
    relevant_Q: np.ndarray
    """int64, relevant passages a query"""


Metric = Callable[[Judged], np.ndarray]

METRICS: dict[str, tuple[int, Metric]] = {
    "mrr_at_10": (1, lambda seen: metrics.reciprocal_rank(seen.relevant_QK, 10)),
    "ndcg_at_10": (1, lambda seen: metrics.ndcg(seen.grades_QK, seen.judged_QJ, 10)),
    "precision_at_10": (1, lambda seen: metrics.precision(seen.relevant_QK, 10)),
    "hit_at_10": (1, lambda seen: metrics.hit(seen.relevant_QK, 10)),
    "recall_at_10": (10, lambda seen: metrics.recall(seen.relevant_QK, seen.relevant_Q, 10)),
    "recall_at_100": (100, lambda seen: metrics.recall(seen.relevant_QK, seen.relevant_Q, 100)),
    "recall_at_1000": (1000, lambda seen: metrics.recall(seen.relevant_QK, seen.relevant_Q, 1000)),
    "map": (1, lambda seen: metrics.average_precision(seen.relevant_QK, seen.relevant_Q)),
}
"""Reported metrics: the depth from which each means what it says, and its function."""


TREC_DL = re.compile(r"dl\d\d")
"""TREC Deep Learning's splits: their grade 1 means "related", not "relevant"."""


def relevant_from(split: str, graded_from: int) -> int:
    """Give the smallest grade that counts as relevant: graded_from in TREC_DL's splits, else 1."""
    return graded_from if TREC_DL.fullmatch(split) else 1


def judge(run: pl.DataFrame, qrels: pl.DataFrame, qids: pl.Series, relevant_from: int) -> Judged:
    """Look up the grade of everything a run retrieved, for the judged queries `qids`.

    run: (qid, pid, score), best first a query; queries of `qids` that it lacks score 0.
    relevant_from: the smallest grade that counts as relevant; nDCG takes all.
    Raises DataError for a query without any positive grade, or if no grade counts as relevant.
    """
    of_split = qrels.filter(pl.col("qid").is_in(qids.implode()))
    judged_QJ = _grades(of_split, qids)
    hopeless_Q = judged_QJ.max(axis=1, initial=0) < 1
    if hopeless_Q.any():
        raise DataError(
            f"{hopeless_Q.sum()} of {len(qids)} queries have no relevant passage (grade 1 or more) "
            f"in the qrels, the first is qid {qids[int(hopeless_Q.argmax())]}; drop them: "
            "`dvc repro prepare` does"
        )
    if judged_QJ.max() < relevant_from:
        raise DataError(
            f"the highest grade of the qrels is {judged_QJ.max()}; relevant means {relevant_from} "
            "and above: lower evaluate.graded_relevant_from, or drop the split"
        )
    found = run.join(
        qrels.select("qid", "pid", "grade"), on=["qid", "pid"], how="left", maintain_order="left"
    )
    grades_QK = _grades(found.with_columns(pl.col("grade").fill_null(0)), qids)
    return Judged(
        grades_QK,
        grades_QK >= relevant_from,
        judged_QJ,
        (judged_QJ >= relevant_from).sum(axis=1),
    )


def score(judged: Judged, depth: int) -> dict[str, np.ndarray]:
    """Give each metric that a retrieval of this depth can answer, one value a query."""
    return {
        name: function(judged) for name, (needed, function) in METRICS.items() if needed <= depth
    }


def recall_curve(judged: Judged, depth: int) -> dict[int, float]:
    """Give mean recall at 1, 2, 5, 10, ... up to the depth."""
    points = [base * 10**power for power in range(7) for base in (1, 2, 5)]
    return {
        k: float(metrics.recall(judged.relevant_QK, judged.relevant_Q, k).mean())
        for k in points
        if k <= depth
    }


def _grades(table: pl.DataFrame, qids: pl.Series) -> np.ndarray:
    """Turn (qid, ..., grade) rows into an int64 array, one row a query, in the order of `qids`."""
    place = pl.DataFrame({"qid": qids}).with_row_index("place")
    placed = table.join(place, on="qid", maintain_order="left")
    rows = placed["place"].to_numpy()
    columns = placed.select(pl.int_range(pl.len()).over("place")).to_series().to_numpy()
    grades = np.zeros((len(qids), int(columns.max(initial=0)) + 1), np.int64)
    grades[rows, columns] = placed["grade"].to_numpy()
    return grades
