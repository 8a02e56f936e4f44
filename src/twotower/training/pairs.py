"""Training pairs, their batches, and the mask that keeps true passages from being negatives.

Queries and passages are named by their row in the token stores. B pairs a batch, N passages of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twotower.artifacts import TokenStore


@dataclass(frozen=True)
class Texts:
    """The token stores that rows refer to."""

    queries: TokenStore
    passages: TokenStore


@dataclass(frozen=True)
class Ragged:
    """Lists of passage rows: list i is rows[offsets[i]:offsets[i + 1]]."""

    rows: np.ndarray
    """int64"""
    offsets: np.ndarray
    """int64, one more than lists"""

    def take(self, lists_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the members of some lists, and the place in `lists_B` that each belongs to."""
        starts_B = self.offsets[lists_B]
        lengths_B = self.offsets[lists_B + 1] - starts_B
        ends_B = np.cumsum(lengths_B)
        where = np.repeat(starts_B - ends_B + lengths_B, lengths_B) + np.arange(lengths_B.sum())
        return self.rows[where], np.repeat(np.arange(len(lists_B)), lengths_B)

    def draw(self, lists_B: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
        """Draw `count` members of each list, with repeats; none of an empty one."""
        lengths_B = self.offsets[lists_B + 1] - self.offsets[lists_B]
        some_B = lists_B[lengths_B > 0]
        places = generator.random((len(some_B), count)) * lengths_B[lengths_B > 0, None]
        return self.rows[(self.offsets[some_B, None] + places.astype(np.int64)).ravel()]


def make_ragged(list_of_row: np.ndarray, rows: np.ndarray, lists: int) -> Ragged:
    """Gather parallel arrays into lists; a repeated member counts once."""
    pairs = np.unique(np.stack([list_of_row, rows], axis=1), axis=0)
    sizes = np.bincount(pairs[:, 0], minlength=lists)
    return Ragged(pairs[:, 1].copy(), np.concatenate([[0], np.cumsum(sizes)]))


@dataclass(frozen=True)
class Pairs:
    """Every (query, relevant passage) of the training split."""

    query_rows: np.ndarray
    """int64 (pairs,)"""
    passage_rows: np.ndarray
    """int64 (pairs,); passages are distinct texts, so equal texts have equal rows"""
    groups: np.ndarray
    """int64 (pairs,), from 0: equal where the queries' texts are equal"""
    positives: Ragged
    """A list a group: all passages relevant to a query of that text"""

    def __len__(self) -> int:
        """Pairs."""
        return len(self.query_rows)


def make_pairs(query_rows: np.ndarray, passage_rows: np.ndarray, group: np.ndarray) -> Pairs:
    """Build pairs from parallel arrays; group: an id a pair, equal where the query's text is."""
    names, groups = np.unique(group, return_inverse=True)
    positives = make_ragged(groups, passage_rows, len(names))
    return Pairs(query_rows, passage_rows, groups, positives)


def epoch_batches(
    pairs: int, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Shuffle the pairs and cut them into batches of nearly equal size, none above batch_size.

    Equal sizes, because a small last batch would have few negatives.
    """
    order = generator.permutation(pairs)
    yield from np.array_split(order, -(-pairs // batch_size))


def false_negatives(pairs: Pairs, batch_B: np.ndarray, passages_N: np.ndarray) -> np.ndarray:
    """Give bool (B, N): True where passage j is relevant to query i without being its positive.

    passages_N: the batch's passages, of which the first B are the positives of its queries. Masked
    by query id, by query text and by passage text: a pair's positives are those of all queries with
    its text, and passages of equal text are one row. The diagonal is False, except that another
    pair of the same passage is True off the diagonal.
    """
    different_U, place_N = np.unique(passages_N, return_inverse=True)
    relevant, query = pairs.positives.take(pairs.groups[batch_B])
    place = np.searchsorted(different_U, relevant).clip(max=len(different_U) - 1)
    here = different_U[place] == relevant
    mask_BU = np.zeros((len(batch_B), len(different_U)), bool)
    mask_BU[query[here], place[here]] = True
    mask_BN: np.ndarray = mask_BU[:, place_N]
    np.fill_diagonal(mask_BN, val=False)
    return mask_BN
