"""Retrieval metrics: one function each, over all queries at once, equal to trec_eval's.

Every function takes rankings as arrays whose column j is rank j + 1, and gives one value a query.
Queries without results have rows of False or 0 and score 0. Needs numpy alone.

Q queries, K ranks, J judged passages of a query (0 fills up).
"""

from __future__ import annotations

import numpy as np


def reciprocal_rank(relevant_QK: np.ndarray, k: int) -> np.ndarray:
    """1 / rank of the first relevant passage within k, else 0 (Microsoft's MRR@10 at k = 10)."""
    top_QK = relevant_QK[:, :k]
    first_Q = top_QK.argmax(axis=1)
    return np.where(top_QK.any(axis=1), 1 / (first_Q + 1), 0.0)


def recall(relevant_QK: np.ndarray, relevant_Q: np.ndarray, k: int) -> np.ndarray:
    """Relevant passages within k / all relevant passages of the query."""
    return np.asarray(relevant_QK[:, :k].sum(axis=1) / np.maximum(relevant_Q, 1))


def hit(relevant_QK: np.ndarray, k: int) -> np.ndarray:
    """1 if any relevant passage is within k, else 0 (trec_eval's success)."""
    return np.asarray(relevant_QK[:, :k].any(axis=1), np.float64)


def precision(relevant_QK: np.ndarray, k: int) -> np.ndarray:
    """Relevant passages within k / k."""
    return np.asarray(relevant_QK[:, :k].sum(axis=1) / k)


def average_precision(relevant_QK: np.ndarray, relevant_Q: np.ndarray) -> np.ndarray:
    """Mean over all relevant passages of the precision at their rank; 0 for those not found."""
    ranks_K = np.arange(1, relevant_QK.shape[1] + 1)
    precision_QK = relevant_QK.cumsum(axis=1) / ranks_K
    return np.asarray((precision_QK * relevant_QK).sum(axis=1) / np.maximum(relevant_Q, 1))


def ndcg(grades_QK: np.ndarray, judged_QJ: np.ndarray, k: int) -> np.ndarray:
    """DCG / ideal DCG with linear gains: sum of grade / log2(rank + 1) within k.

    judged_QJ holds the grades of all judged passages; the ideal ranking has the best first.
    (Järvelin & Kekäläinen 2002, with trec_eval's gains.)
    """
    ideal_QJ = -np.sort(-judged_QJ, axis=1)
    ideal_Q = _dcg(ideal_QJ, k)
    return np.divide(_dcg(grades_QK, k), ideal_Q, out=np.zeros(len(ideal_Q)), where=ideal_Q > 0)


def _dcg(grades_QK: np.ndarray, k: int) -> np.ndarray:
    top_QK = np.maximum(grades_QK[:, :k], 0)
    return np.asarray((top_QK / np.log2(np.arange(2, top_QK.shape[1] + 2))).sum(axis=1))
