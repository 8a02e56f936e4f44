"""Invariant 3: no true passage is ever a negative."""

from __future__ import annotations

import numpy as np
import torch

from twotower.training.pairs import epoch_batches, false_negatives, make_pairs

CPU = torch.device("cpu")


def test_other_positives_equal_passages_and_equal_query_texts_are_masked() -> None:
    # Query 0 has passages 10 and 11; query 1 has 10 too; query 2 has the text of query 3.
    pairs = make_pairs(
        query_rows=np.array([0, 0, 1, 2, 3]),
        passage_rows=np.array([10, 11, 10, 12, 13]),
        group=np.array([50, 50, 51, 52, 52]),
    )
    mask = false_negatives(pairs, np.arange(5), CPU)
    expected = [
        [0, 1, 1, 0, 0],  # (0, 10): 11 is its other positive, the third passage is 10 again
        [1, 0, 1, 0, 0],
        [1, 0, 0, 0, 0],  # query 1 knows nothing of 11
        [0, 0, 0, 0, 1],  # the text of query 2 has passage 13 as well, through query 3
        [0, 0, 0, 1, 0],
    ]
    assert mask.int().tolist() == expected


def test_masks_agree_with_a_slow_count_on_random_pairs() -> None:
    generator = np.random.default_rng(0)
    triples = np.unique(generator.integers(0, [40, 25], (300, 2)), axis=0)
    queries, passages = triples.T
    group = queries // 2  # every two queries have the same text
    pairs = make_pairs(queries, passages, group)
    relevant = {(g, p) for g, p in zip(group.tolist(), passages.tolist(), strict=True)}
    batch = generator.permutation(len(pairs))[:64]
    mask = false_negatives(pairs, batch, CPU)
    for i, row in enumerate(batch):
        for j, column in enumerate(batch):
            true_passage = (int(group[row]), int(passages[column])) in relevant
            assert bool(mask[i, j]) == (true_passage and i != j)


def test_an_epoch_has_every_pair_once_in_batches_of_nearly_equal_size() -> None:
    batches = list(epoch_batches(103, 25, np.random.default_rng(0)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(103))
    assert [len(batch) for batch in batches] == [21, 21, 21, 20, 20]


def test_epochs_differ_and_repeat_with_the_seed() -> None:
    generator = np.random.default_rng(3)
    first, second = (np.concatenate(list(epoch_batches(50, 50, generator))) for _ in range(2))
    again = np.concatenate(list(epoch_batches(50, 50, np.random.default_rng(3))))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, again)
