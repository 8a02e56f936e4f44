"""Negatives that a batch gets beside its own passages: random, unselected, BM25's, the towers' own.

Each query brings some of each kind, and they stand against every query of the batch. None is ever a
true passage: `pairs.false_negatives` masks them as it does all others. Those that score too near to
the positive are left out as relevant ones that nobody labelled (`too_near`).

B pairs a batch, N passages of it, Q queries, K ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from twotower.config import Negatives
from twotower.training.pairs import Pairs, Ragged, make_ragged


@dataclass(frozen=True)
class Sources:
    """Where negatives are drawn from, a list of passage rows for each group of pairs."""

    passages: int
    """In the pool; random ones are drawn of all."""
    unselected: Ragged
    bm25: Ragged
    own: Ragged


Rows = tuple[np.ndarray, np.ndarray]
"""Query rows and passage rows, parallel."""


def gather(pairs: Pairs, passages: int, unselected: Rows, bm25: Rows) -> Sources:
    """Put together what negatives are drawn from; the towers have found nothing yet."""
    groups = len(pairs.positives.offsets) - 1
    return Sources(
        passages,
        unselected=_lists(pairs, *unselected),
        bm25=_lists(pairs, *bm25),
        own=Ragged(np.zeros(0, np.int64), np.zeros(groups + 1, np.int64)),
    )


def missing(config: Negatives, sources: Sources) -> list[str]:
    """Name the kinds that are wanted and that no query has."""
    kinds = {"unselected": sources.unselected, "bm25": sources.bm25}
    return [name for name, lists in kinds.items() if getattr(config, name) and not len(lists.rows)]


def _lists(pairs: Pairs, query_rows: np.ndarray, passage_rows: np.ndarray) -> Ragged:
    """Gather (query row, passage row) of the train split by the group of the query."""
    order = np.argsort(pairs.query_rows, kind="stable")
    known = pairs.query_rows[order]
    place = np.searchsorted(known, query_rows).clip(max=max(len(known) - 1, 0))
    here = known[place] == query_rows if len(known) else np.zeros(len(query_rows), bool)
    groups = pairs.groups[order][place[here]]
    return make_ragged(groups, passage_rows[here], len(pairs.positives.offsets) - 1)


def own_lists(config: Negatives, groups_Q: np.ndarray, rows_QK: np.ndarray, groups: int) -> Ragged:
    """Keep what the towers found between first_rank and last_rank."""
    kept_QK = rows_QK[:, config.first_rank - 1 : config.last_rank]
    return make_ragged(np.repeat(groups_Q, kept_QK.shape[1]), kept_QK.ravel(), groups)


def draw(
    config: Negatives,
    sources: Sources,
    pairs: Pairs,
    batch_B: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Give the batch's passages (N,): the positives of its pairs, then its negatives, each once."""
    groups_B, positives_B = pairs.groups[batch_B], pairs.passage_rows[batch_B]
    drawn = [generator.integers(0, sources.passages, len(batch_B) * config.random)]
    for name in ("unselected", "bm25", "own"):
        count: int = getattr(config, name)
        if count:
            lists: Ragged = getattr(sources, name)
            drawn.append(lists.draw(groups_B, count, generator))
    return np.concatenate([positives_B, np.setdiff1d(np.concatenate(drawn), positives_B)])


def too_near(scores_BN: Tensor, share: float) -> Tensor:
    """Give bool (B, N): negatives brought along that score above this share of the positive's.

    For scores below 0 it is what lies as far below the positive, relative to its size. The batch's
    own passages are never too near: they are relevant to other queries.
    """
    positive_B1 = scores_BN.detach().diagonal().unsqueeze(1)
    near_BN = scores_BN.detach() > positive_B1 - (1 - share) * positive_B1.abs()
    near_BN[:, : len(scores_BN)] = False
    return near_BN
