"""Negatives beside the batch's own passages: where they come from, which are drawn, which stay."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import toy

from twotower.training.negatives import Sources, draw, gather, missing, own_lists, too_near
from twotower.training.pairs import Pairs, Ragged, make_pairs

EMPTY = (np.zeros(0, np.int64), np.zeros(0, np.int64))


def lists(ragged: Ragged) -> list[list[int]]:
    parts = np.split(ragged.rows, ragged.offsets[1:-1])
    return [part.tolist() for part in parts]


def pairs() -> Pairs:
    """Queries 3, 5 and 8; 3 and 8 have the same text (group 1), 5 has two passages (group 0)."""
    return make_pairs(np.array([3, 5, 5, 8]), np.array([0, 1, 2, 0]), np.array([7, 4, 4, 7]))


def test_lists_are_gathered_by_the_text_of_the_query() -> None:
    unselected = (np.array([8, 3, 5, 3]), np.array([9, 8, 7, 9]))
    bm25 = (np.array([5, 4, 99, 5]), np.array([6, 5, 5, 1]))  # no pair has query 4 or 99
    sources = gather(pairs(), 10, unselected, bm25)
    assert sources.passages == 10
    assert lists(sources.unselected) == [[7], [8, 9]]
    assert lists(sources.bm25) == [[1, 6], []]
    assert lists(sources.own) == [[], []], "nothing has been found yet"


def test_without_any_source_every_list_is_empty() -> None:
    sources = gather(pairs(), 10, EMPTY, EMPTY)
    assert lists(sources.unselected) == lists(sources.bm25) == [[], []]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(1, 1, [[30], [], [10]]), (2, 3, [[31, 32], [], [11, 12]]), (3, 99, [[32, 33], [], [12, 13]])],
)
def test_own_negatives_are_those_between_two_ranks(
    first: int, last: int, expected: list[list[int]]
) -> None:
    config = dataclasses.replace(tiny.NEGATIVES, own=1, first_rank=first, last_rank=last)
    found = np.array([[10, 11, 12, 13], [30, 31, 32, 33]])
    assert lists(own_lists(config, np.array([2, 0]), found, groups=3)) == expected


def sources() -> Sources:
    """Group 0 has a list of each kind, group 1 none."""
    return Sources(
        passages=1000,
        unselected=Ragged(np.array([20, 21]), np.array([0, 2, 2])),
        bm25=Ragged(np.array([30, 31, 1]), np.array([0, 3, 3])),
        own=Ragged(np.array([40, 20]), np.array([0, 2, 2])),
    )


def drawn(batch: list[int], seed: int = 0, **brought: Any) -> list[int]:
    config = dataclasses.replace(tiny.NEGATIVES, **brought)
    generator = np.random.default_rng(seed)
    return draw(config, sources(), pairs(), np.array(batch), generator).tolist()


def test_without_negatives_there_are_the_positives_alone() -> None:
    assert drawn([3, 1, 0]) == [0, 1, 0], "a positive of two pairs has two columns"


@pytest.mark.parametrize(
    ("kind", "expected"), [("unselected", {20, 21}), ("bm25", {30, 31}), ("own", {20, 40})]
)
def test_each_kind_comes_from_its_list(kind: str, expected: set[int]) -> None:
    """Many draws bring the whole list, less what is a positive of the batch: BM25's 1."""
    passages = drawn([1, 2, 0], **{kind: 50})
    assert passages[:3] == [1, 2, 0]
    assert sorted(passages[3:]) == sorted(expected)


@pytest.mark.parametrize("kind", ["unselected", "bm25", "own"])
def test_a_query_without_a_list_brings_nothing(kind: str) -> None:
    assert drawn([0, 3], **{kind: 9}) == [0, 0]


def test_random_negatives_are_any_passages() -> None:
    passages = drawn([0, 3], random=3000)
    assert passages[:2] == [0, 0]
    assert len(set(passages)) > 990
    assert set(passages) <= set(range(1000))


def test_positives_come_first_and_every_negative_once() -> None:
    passages = drawn([2, 1], random=400, unselected=9, bm25=9, own=9)
    assert passages[:2] == [2, 1]
    rest = passages[2:]
    assert len(rest) == len(set(rest))
    assert not {1, 2} & set(rest)
    assert {20, 21, 30, 31, 40} <= set(rest)


def test_a_draw_repeats_with_its_seed() -> None:
    kinds = {"random": 5, "unselected": 1, "bm25": 1, "own": 1}
    first = drawn([0, 1, 2, 3], seed=4, **kinds)
    assert drawn([0, 1, 2, 3], seed=4, **kinds) == first
    assert drawn([0, 1, 2, 3], seed=5, **kinds) != first


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        # Limits 0.9 x 1.0 and 0.9 x 0.5; the first two columns are the batch's own passages.
        ([[1.0, 0.99, 0.91, 0.89], [0.9, 0.5, 0.46, 0.44]], [[0, 0, 1, 0], [0, 0, 1, 0]]),
        # Distances: limits -2.2 and -1.1, a tenth of the positive's below it.
        ([[-2.0, -0.1, -2.1, -2.3], [-0.1, -1.0, -1.2, -0.1]], [[0, 0, 1, 0], [0, 0, 0, 1]]),
    ],
)
def test_negatives_too_near_to_the_positive_by_hand(
    scores: list[list[float]], expected: list[list[int]]
) -> None:
    assert too_near(torch.tensor(scores), 0.9).int().tolist() == expected


def test_those_too_near_count_for_nothing_and_0_keeps_all() -> None:
    """The loss of all negatives is less by those that are left out; at 1, by those above."""
    losses = [
        toy.stepper(tiny.towers(), {"random": 2, "max_score": share}, margin=1.0).gradients(
            np.arange(20), 1, 0
        )["loss"]
        for share in (0.0, 1.0, 0.5, 1e-9)
    ]
    assert sorted(losses, reverse=True) == losses
    assert len(set(losses)) == 4


def test_kinds_that_are_wanted_and_that_no_query_has_are_named() -> None:
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    sources = gather(toy.pairs(), toy.QUERIES, nothing, (toy.ROWS, toy.ROWS))
    wanted = dataclasses.replace(tiny.NEGATIVES, unselected=1, bm25=1)
    assert missing(wanted, sources) == ["unselected"]
    assert missing(tiny.NEGATIVES, sources) == []
