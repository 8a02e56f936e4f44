"""Fusion of two runs: a weighted sum of scores that are scaled to 0..1 a query."""

from __future__ import annotations

import polars as pl

from twotower.retrieval.runs import in_order


def fuse(
    first: pl.DataFrame, second: pl.DataFrame, weight: float, depth: int, qids: pl.Series
) -> pl.DataFrame:
    """Give weight x first + (1 - weight) x second, at most `depth` a query.

    Min-max scaling within each query and run, 1 where all scores of a query are equal; a passage
    that a run did not retrieve has 0 there.
    """
    return weigh(align(first, second), weight, depth, qids)


def align(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Give qid, pid and both runs' scaled scores, first and second: what any weight starts from."""
    joined = _scaled(first).join(
        _scaled(second), on=["qid", "pid"], how="full", coalesce=True, suffix="_second"
    )
    scores = {"first": pl.col("score"), "second": pl.col("score_second")}
    return joined.select("qid", "pid", **{name: each.fill_null(0) for name, each in scores.items()})


def weigh(aligned: pl.DataFrame, weight: float, depth: int, qids: pl.Series) -> pl.DataFrame:
    """Give the fused run of aligned scores, at most `depth` a query."""
    summed = (weight * pl.col("first") + (1 - weight) * pl.col("second")).cast(pl.Float32)
    scored = aligned.select("qid", "pid", score=summed)
    # Sorting texts is what costs here, so what cannot be within the depth is left out before.
    within = pl.col("score").rank("min", descending=True).over("qid") <= depth
    ordered = in_order(scored.filter(within), qids)
    return ordered.group_by("qid", maintain_order=True).head(depth)


def _scaled(run: pl.DataFrame) -> pl.DataFrame:
    low = pl.col("score").min().over("qid").cast(pl.Float64)
    span = pl.col("score").max().over("qid") - low
    scaled = pl.when(span > 0).then((pl.col("score") - low) / span).otherwise(1.0)
    return run.select("qid", "pid", score=scaled)
