"""Pairs, their lists and batches. Invariant 3: no true passage is ever a negative."""

from __future__ import annotations

import numpy as np
import pytest

from twotower.training.pairs import Ragged, epoch_batches, false_negatives, make_pairs, make_ragged

LISTS = Ragged(np.array([7, 8, 9, 4]), np.array([0, 3, 3, 4]))
"""Three lists: 7 8 9, nothing, 4."""


def test_lists_are_gathered_from_parallel_arrays() -> None:
    made = make_ragged(np.array([2, 0, 0, 2, 0]), np.array([4, 9, 7, 4, 8]), lists=4)
    assert made.rows.tolist() == [7, 8, 9, 4], "the repeated 4 counts once"
    assert made.offsets.tolist() == [0, 3, 3, 4, 4], "lists 1 and 3 are empty"


@pytest.mark.parametrize(
    ("lists", "members", "places"),
    [
        ([2, 0, 1], [4, 7, 8, 9], [0, 1, 1, 1]),
        ([0, 0], [7, 8, 9, 7, 8, 9], [0, 0, 0, 1, 1, 1]),
        ([1, 1], [], []),
        ([], [], []),
    ],
)
def test_members_of_lists_are_taken(
    lists: list[int], members: list[int], places: list[int]
) -> None:
    taken, place = LISTS.take(np.array(lists, np.int64))
    assert taken.tolist() == members
    assert place.tolist() == places


def test_every_member_is_drawn_as_often_and_none_of_an_empty_list() -> None:
    drawn = LISTS.draw(np.array([0, 1, 2, 0]), 3000, np.random.default_rng(0))
    assert drawn.shape == (9000,)
    first, four, again = drawn.reshape(3, 3000)
    assert set(four) == {4}
    for of_list in (first, again):
        members, counts = np.unique(of_list, return_counts=True)
        assert members.tolist() == [7, 8, 9]
        assert counts == pytest.approx(1000, abs=120)
    assert not np.array_equal(first, again), "each place draws for itself"
    assert len(LISTS.draw(np.array([1, 1]), 5, np.random.default_rng(0))) == 0


def test_pairs_are_grouped_by_the_text_of_the_query() -> None:
    # Queries 3 and 5 have the same text; 5 has two passages, of which 11 is 3's as well.
    pairs = make_pairs(
        np.array([3, 4, 5, 5]), np.array([11, 12, 10, 11]), np.array([90, 70, 90, 90])
    )
    assert len(pairs) == 4
    assert pairs.groups.tolist() == [1, 0, 1, 1]
    assert pairs.positives.rows.tolist() == [12, 10, 11]
    assert pairs.positives.offsets.tolist() == [0, 1, 3]


def test_other_positives_equal_passages_and_equal_query_texts_are_masked() -> None:
    # Query 0 has passages 10 and 11; query 1 has 10 too; query 2 has the text of query 3.
    pairs = make_pairs(
        query_rows=np.array([0, 0, 1, 2, 3]),
        passage_rows=np.array([10, 11, 10, 12, 13]),
        group=np.array([50, 50, 51, 52, 52]),
    )
    batch = np.arange(5)
    expected = [
        [0, 1, 1, 0, 0],  # (0, 10): 11 is its other positive, the third passage is 10 again
        [1, 0, 1, 0, 0],
        [1, 0, 0, 0, 0],  # query 1 knows nothing of 11
        [0, 0, 0, 0, 1],  # the text of query 2 has passage 13 as well, through query 3
        [0, 0, 0, 1, 0],
    ]
    assert false_negatives(pairs, batch, pairs.passage_rows).astype(int).tolist() == expected


def test_passages_brought_along_are_masked_too() -> None:
    # Pair 1 (query 0, passage 11) and pair 3 (query 2, whose text has passages 12 and 13).
    pairs = make_pairs(
        query_rows=np.array([0, 0, 1, 2, 3]),
        passage_rows=np.array([10, 11, 10, 12, 13]),
        group=np.array([50, 50, 51, 52, 52]),
    )
    brought = [11, 12, 10, 13, 99, 10]
    mask = false_negatives(pairs, np.array([1, 3]), np.array(brought))
    assert mask.astype(int).tolist() == [
        [0, 0, 1, 0, 0, 1],  # 10 is query 0's other positive, wherever it stands
        [0, 0, 0, 1, 0, 0],
    ]


def test_masks_agree_with_a_slow_count_on_random_pairs() -> None:
    generator = np.random.default_rng(0)
    queries, passages = np.unique(generator.integers(0, [40, 25], (300, 2)), axis=0).T
    group = queries // 2  # every two queries have the same text
    pairs = make_pairs(queries, passages, group)
    relevant = {(g, p) for g, p in zip(group.tolist(), passages.tolist(), strict=True)}
    masked = 0
    for extra in (0, 1, 30):
        batch = generator.permutation(len(pairs))[:64]
        columns = np.concatenate([passages[batch], generator.integers(0, 40, extra)])
        mask = false_negatives(pairs, batch, columns)
        assert mask.shape == (64, 64 + extra)
        for i, row in enumerate(batch):
            for j, passage in enumerate(columns):
                true_passage = (int(group[row]), int(passage)) in relevant
                assert bool(mask[i, j]) == (true_passage and i != j)
        masked += mask[:, 64:].sum()
    assert masked > 100, "what is brought along is relevant to some"


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
