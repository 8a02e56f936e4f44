"""The systems that every table compares, as runs over the same pool and queries.

Random order, untrained vectors, the model's own start, BM25, the dense model, and the fusion of
the last two with a weight that dev chose.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from twotower.artifacts import Corpus
from twotower.config import Evaluate
from twotower.evaluation.judge import judge, score
from twotower.retrieval.fusion import align, fuse, weigh
from twotower.retrieval.runs import make_run

FUSION_WEIGHTS = tuple(tenth / 10 for tenth in range(1, 10))


def assemble(
    corpus: Corpus,
    queries: pl.DataFrame,
    ready: dict[str, pl.DataFrame],
    config: Evaluate,
    seed: int,
) -> tuple[dict[str, pl.DataFrame], float]:
    """Add the random and the fused run to those that are ready, in the order of the tables.

    ready: mean, idf_mean, start, bm25 and dense. Also gives the dense run's weight in the fusion.
    """
    weight = choose_fusion_weight(corpus, ready["dense"], ready["bm25"])
    fused = fuse(ready["dense"], ready["bm25"], weight, config.depth, queries["qid"])
    chance = random_run(corpus, queries, config.depth, seed)
    order = ("mean", "idf_mean", "start", "bm25", "dense")
    return {"random": chance, **{name: ready[name] for name in order}, "fused": fused}, weight


def random_run(corpus: Corpus, queries: pl.DataFrame, depth: int, seed: int) -> pl.DataFrame:
    """Retrieve passages at random: what chance scores on this pool.

    The pool is shuffled once, and each query reads on from a random place of it, round the end: any
    such stretch is a random sample without repeats, and costs nothing but itself.
    """
    generator, pool = np.random.default_rng(seed), len(corpus.passages)
    shuffled, size = generator.permutation(pool), min(depth, pool)
    starts_Q1 = generator.integers(0, pool, (len(queries), 1))
    rows_QK = shuffled[(starts_Q1 + np.arange(size)) % pool]
    scores_QK = np.broadcast_to(np.arange(size, 0, -1), rows_QK.shape)
    return make_run(queries["qid"], corpus.passages["pid"], scores_QK, rows_QK)


def choose_fusion_weight(corpus: Corpus, dense: pl.DataFrame, bm25: pl.DataFrame) -> float:
    """Give the weight of the dense run with the best MRR@10 of the fusion on dev."""
    qids, qrels = of_split(corpus, "dev")
    aligned, depth = align(only(dense, qids), only(bm25, qids)), 10

    def quality(weight: float) -> float:
        fused = weigh(aligned, weight, depth, qids)
        judged = judge(fused, qrels, qids, relevant_from=1)
        return float(score(judged, depth)["mrr_at_10"].mean())

    return max(FUSION_WEIGHTS, key=quality)


def of_split(corpus: Corpus, split: str) -> tuple[pl.Series, pl.DataFrame]:
    """Give a split's qids and qrels."""
    here = pl.col("split") == split
    return corpus.queries.filter(here)["qid"], corpus.qrels.filter(here)


def only(run: pl.DataFrame, qids: pl.Series) -> pl.DataFrame:
    """Give the part of a run that answers the given queries."""
    return run.filter(pl.col("qid").is_in(qids.implode()))
