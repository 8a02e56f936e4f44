"""TREC's run and qrels files, so that any other tool can check the figures.

Run lines are `qid Q0 pid rank score name`; qrels lines `qid 0 pid grade`. Scores are written so
that they read back as the same float32, and rank follows the order of `retrieval.runs`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl


def write_run(run: pl.DataFrame, name: str, path: Path) -> None:
    """Write a run (qid, pid, score), best first a query."""
    lines = run.select(
        "qid",
        pl.lit("Q0").alias("q0"),
        "pid",
        pl.int_range(1, pl.len() + 1).over("qid").alias("rank"),
        "score",
        pl.lit(name).alias("name"),
    )
    lines.write_csv(path, separator=" ", include_header=False)


def write_qrels(qrels: pl.DataFrame, path: Path) -> None:
    """Write qrels (qid, pid, grade)."""
    lines = qrels.select("qid", pl.lit(0).alias("iteration"), "pid", "grade")
    lines.write_csv(path, separator=" ", include_header=False)
