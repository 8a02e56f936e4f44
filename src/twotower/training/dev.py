"""Dev quality during training: what chooses the checkpoint.

The dev queries search a fixed pool, their own relevant passages and a seeded sample of the others,
through the same encode, similarity and metrics as the final evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from twotower.artifacts import TokenStore
from twotower.evaluation import metrics
from twotower.retrieval import exact
from twotower.towers.encode import encode
from twotower.towers.model import TwoTowers
from twotower.training.pairs import Texts

DEPTH = 100


class Where(Protocol):
    """Where texts are encoded, and how many tokens at a time."""

    @property
    def device(self) -> torch.device: ...  # noqa: D102
    @property
    def batch_tokens(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class DevSet:
    """Queries, their pool and what is relevant, as token stores of their own."""

    queries: TokenStore
    pool: TokenStore
    relevant: np.ndarray
    """sorted int64 keys: query * len(pool) + row in the pool"""
    relevant_Q: np.ndarray
    """int64, relevant passages a query"""


def make_dev_set(
    texts: Texts, query_rows: np.ndarray, passage_rows: np.ndarray, pool_size: int, seed: int
) -> DevSet:
    """Choose the pool for parallel arrays of relevant pairs; pool_size 0 means all passages."""
    passages = texts.passages
    size = min(pool_size or len(passages), len(passages))
    positives = np.unique(passage_rows)
    others = np.setdiff1d(np.arange(len(passages)), positives)
    drawn = np.random.default_rng(seed).permutation(others)[: max(0, size - len(positives))]
    pool_rows = np.sort(np.concatenate([positives, drawn]))
    asked, query_of = np.unique(query_rows, return_inverse=True)
    keys = np.unique(query_of * len(pool_rows) + np.searchsorted(pool_rows, passage_rows))
    return DevSet(
        queries=texts.queries.take(asked),
        pool=passages.take(pool_rows),
        relevant=keys,
        relevant_Q=np.bincount(keys // len(pool_rows), minlength=len(asked)),
    )


def search(
    towers: TwoTowers, queries: TokenStore, passages: TokenStore, depth: int, where: Where
) -> np.ndarray:
    """Give the passages that the towers as they are now find: rows int64 (Q, K), best first.

    Holds all vectors in memory.
    """
    towers.eval()
    vectors = [
        encode(encoder, store, towers.width, where.device, batch_tokens=where.batch_tokens)
        for encoder, store in ((towers.queries, queries), (towers.passages, passages))
    ]
    towers.train()
    return exact.search(vectors[0], vectors[1], depth, towers.config.similarity)[1]


def evaluate(towers: TwoTowers, dev: DevSet, where: Where) -> dict[str, float]:
    """Give dev_mrr_at_10 and dev_recall_at_100 of the towers as they are now."""
    rows_QK = search(towers, dev.queries, dev.pool, DEPTH, where)
    keys_QK = np.arange(len(rows_QK))[:, None] * len(dev.pool) + rows_QK
    relevant_QK = np.isin(keys_QK, dev.relevant)
    return {
        "dev_mrr_at_10": float(metrics.reciprocal_rank(relevant_QK, 10).mean()),
        "dev_recall_at_100": float(metrics.recall(relevant_QK, dev.relevant_Q, DEPTH).mean()),
    }
