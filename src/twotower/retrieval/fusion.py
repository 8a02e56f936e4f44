"""Fusion of two runs: a weighted sum of scores that are scaled to 0..1 a query."""

from __future__ import annotations

import polars as pl

from twotower.retrieval.runs import in_order


def fuse(
    first: pl.DataFrame, second: pl.DataFrame, weight: float, depth: int, qids: pl.Series
) -> pl.DataFrame:
    """Give weight x first + (1 - weight) x second, at most `depth` a query.

    Min-max scaling within each query and run; a passage that a run did not retrieve has 0 there.
    """
    parts = [_scaled(first, weight), _scaled(second, 1 - weight)]
    summed = pl.concat(parts).group_by("qid", "pid", maintain_order=True).agg(pl.col("score").sum())
    fused = in_order(summed.with_columns(pl.col("score").cast(pl.Float32)), qids)
    return fused.group_by("qid", maintain_order=True).head(depth)


def _scaled(run: pl.DataFrame, weight: float) -> pl.DataFrame:
    low = pl.col("score").min().over("qid").cast(pl.Float64)
    span = pl.col("score").max().over("qid") - low
    scaled = pl.when(span > 0).then((pl.col("score") - low) / span).otherwise(1.0)
    return run.select("qid", "pid", score=scaled * weight)
