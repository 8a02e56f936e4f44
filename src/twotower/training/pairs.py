"""Training pairs, their batches, and the mask that keeps true passages from being negatives.

Queries and passages are named by their row in the token stores. B pairs a batch, P most positives
that any query has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from twotower.artifacts import TokenStore


@dataclass(frozen=True)
class Texts:
    """The token stores that rows refer to."""

    queries: TokenStore
    passages: TokenStore


@dataclass(frozen=True)
class Pairs:
    """Every (query, relevant passage) of the training split."""

    query_rows: np.ndarray
    """int64 (pairs,)"""
    passage_rows: np.ndarray
    """int64 (pairs,); passages are distinct texts, so equal texts have equal rows"""
    positives: np.ndarray
    """int64 (pairs, P): all passages relevant to the pair's query, or to a query of the same text;
    -1 fills up"""

    def __len__(self) -> int:
        """Pairs."""
        return len(self.query_rows)


def make_pairs(query_rows: np.ndarray, passage_rows: np.ndarray, group: np.ndarray) -> Pairs:
    """Build pairs from parallel arrays; group: an id a pair, equal where the query's text is."""
    groups, group_of_pair = np.unique(group, return_inverse=True)
    known = np.unique(np.stack([group_of_pair, passage_rows], axis=1), axis=0)
    sizes = np.bincount(known[:, 0], minlength=len(groups))
    starts = np.cumsum(sizes) - sizes
    table = np.full((len(groups), sizes.max(initial=1)), -1, np.int64)
    table[known[:, 0], np.arange(len(known)) - starts[known[:, 0]]] = known[:, 1]
    return Pairs(query_rows, passage_rows, table[group_of_pair])


def epoch_batches(
    pairs: int, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Shuffle the pairs and cut them into batches of nearly equal size, none above batch_size.

    Equal sizes, because a small last batch would have few negatives.
    """
    order = generator.permutation(pairs)
    yield from np.array_split(order, -(-pairs // batch_size))


def false_negatives(pairs: Pairs, batch_B: np.ndarray, device: torch.device) -> Tensor:
    """Give bool (B, B): True where passage j is relevant to query i without being its positive.

    By query id, by query text and by passage text: a pair's positives are those of all queries
    with its text, and passages of equal text are one row. The diagonal is False, except that
    another pair of the same passage is True off the diagonal.
    """
    passages_B = torch.from_numpy(pairs.passage_rows[batch_B]).to(device)
    positives_BP = torch.from_numpy(pairs.positives[batch_B]).to(device)
    mask_BB = torch.zeros(len(batch_B), len(batch_B), dtype=torch.bool, device=device)
    for positive_B in positives_BP.unbind(1):
        mask_BB |= passages_B.unsqueeze(0) == positive_B.unsqueeze(1)
    return mask_BB.fill_diagonal_(False)
