"""Losses on hand-worked scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor

from twotower.towers.losses import HARDNESS, batch_loss, negatives, triplet_loss
from twotower.towers.similarity import finish, similarity

# Three queries; the fourth passage is nobody's.
SCORES = torch.tensor([[0.9, 0.7, 0.1, 0.8], [0.2, 0.5, 0.6, 0.1], [0.0, 0.0, 0.4, 0.3]])
QUERIES = torch.tensor([[3.0, 4.0], [0.0, 4.0]])
PASSAGES = torch.tensor([[3.0, 0.0], [0.0, 4.0], [-3.0, 4.0]])
BY_HAND = {
    "cosine": [[0.6, 0.8, 0.28], [0.0, 1.0, 0.8]],
    "dot": [[9.0, 16.0, 7.0], [0.0, 16.0, 16.0]],
    "euclidean": [[-4.0, -3.0, -6.0], [-5.0, 0.0, -3.0]],
}
MARGIN = {"cosine": 0.4, "dot": 3.0, "euclidean": 4.0}


def ignoring(*pairs: tuple[int, int], scores: Tensor = SCORES) -> Tensor:
    mask = torch.zeros(scores.shape, dtype=torch.bool)
    for pair in pairs:
        mask[pair] = True
    return mask


def loss(scores: Tensor, ignored: Tensor | None = None, seed: int = 0, **changes: Any) -> float:
    ignored = ignoring(scores=scores) if ignored is None else ignored
    config = dataclasses.replace(tiny.TRAIN, **changes)
    return batch_loss(scores, ignored, config, torch.Generator().manual_seed(seed)).item()


def cross_entropy(logits: Sequence[Sequence[float]]) -> float:
    """Mean over rows of -ln softmax of the row's own place."""
    rows = [math.log(sum(map(math.exp, row))) - row[i] for i, row in enumerate(logits)]
    return sum(rows) / len(rows)


def test_negatives_are_all_but_the_positive_and_the_ignored() -> None:
    expected = [[0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1]]
    assert negatives(ignoring((0, 3))).int().tolist() == expected


# Violations of the margin .3: query 0 has .1 (passage 1) and .2 (3), query 1 has 0 (0) and .4 (2),
# query 2 has .2 (3).
@pytest.mark.parametrize(
    ("hardness", "sums"),
    [("all", [0.3, 0.4, 0.2]), ("hardest", [0.2, 0.4, 0.2]), ("semi-hard", [0.2, 0.0, 0.2])],
)
def test_triplet_by_hand(hardness: str, sums: list[float]) -> None:
    assert loss(SCORES, hardness=hardness) == pytest.approx(sum(sums) / 3)


@pytest.mark.parametrize(
    ("hardness", "sums"),
    [("all", [0.1, 0.4, 0.0]), ("hardest", [0.1, 0.4, 0.0]), ("semi-hard", [0.1, 0.0, 0.0])],
)
def test_triplet_leaves_out_ignored_pairs(hardness: str, sums: list[float]) -> None:
    ignored = ignoring((0, 3), (2, 3))
    assert loss(SCORES, ignored, hardness=hardness) == pytest.approx(sum(sums) / 3, abs=1e-7)


# The other way, passage 1 has .5 (query 0) and passage 2 has .5 (query 1); passage 3 asks nothing.
@pytest.mark.parametrize(
    ("hardness", "ahead", "back"),
    [("all", 0.9, 1.0), ("hardest", 0.8, 1.0), ("semi-hard", 0.4, 0.0)],
)
def test_triplet_in_both_directions(hardness: str, ahead: float, back: float) -> None:
    found = loss(SCORES, hardness=hardness, both_directions=True)
    assert found == pytest.approx((ahead / 3 + back / 3) / 2)


def test_ignored_pairs_are_ignored_in_both_directions() -> None:
    ignored = ignoring((0, 1), (1, 2))
    found = loss(SCORES, ignored, both_directions=True)  # left: .2 of queries 0 and 2, one way
    assert found == pytest.approx((0.4 / 3 + 0) / 2)


def test_a_query_without_negatives_adds_nothing() -> None:
    ignored = ignoring((0, 1), (0, 2), (0, 3))
    for hardness in HARDNESS:
        assert loss(SCORES[:1], ignored[:1], hardness=hardness) == 0


def test_semi_hard_takes_the_lowest_where_no_negative_is_below_the_positive() -> None:
    # Query 0: both above; query 1: one is equal, not below; query 2: .3 is the highest below.
    scores = torch.tensor([[0.1, 0.5, 0.3], [0.4, 0.4, 0.9], [0.2, 0.3, 0.35]])
    chosen = HARDNESS["semi-hard"](scores, negatives(ignoring(scores=scores)), torch.Generator())
    assert chosen.int().tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    # .3 - .1 + .3, .3 - .4 + .4, .3 - .35 + .3
    assert triplet_loss(scores, chosen, 0.3).item() == pytest.approx((0.5 + 0.3 + 0.25) / 3)


def test_random_draws_each_allowed_negative_as_often_and_no_other() -> None:
    allowed, generator = negatives(ignoring((0, 1))), torch.Generator().manual_seed(1)
    drawn = sum(HARDNESS["random"](SCORES, allowed, generator).int() for _ in range(600))
    assert isinstance(drawn, Tensor)
    assert drawn.sum(1).tolist() == [600] * 3
    expected = torch.tensor([[0, 0, 300, 300], [200, 0, 200, 200], [200, 200, 0, 200]])
    assert (drawn[expected == 0] == 0).all()
    assert ((drawn - expected).abs() < 60).all()  # five standard deviations


def test_random_repeats_with_its_generator() -> None:
    seeds = [loss(SCORES, seed=seed, hardness="random") for seed in range(20)]
    assert seeds == [loss(SCORES, seed=seed, hardness="random") for seed in range(20)]
    assert len(set(seeds)) > 1


def scores_by(kind: str) -> Tensor:
    return similarity(finish(QUERIES, kind), finish(PASSAGES, kind), kind)


# Violations of MARGIN, queries 0 and 1 with their negatives in order.
#   cosine     .6 .08 |  0 .2
#   dot        10  1  |  0  3     (in query 1 a negative equals the positive: not semi-hard)
#   euclidean   5  2  |  0  1
@pytest.mark.parametrize(
    ("kind", "hardness", "sums"),
    [
        ("cosine", "all", [0.68, 0.2]),
        ("cosine", "hardest", [0.6, 0.2]),
        ("cosine", "semi-hard", [0.08, 0.2]),
        ("dot", "all", [11, 3]),
        ("dot", "hardest", [10, 3]),
        ("dot", "semi-hard", [1, 0]),
        ("euclidean", "all", [7, 1]),
        ("euclidean", "hardest", [5, 1]),
        ("euclidean", "semi-hard", [2, 1]),
    ],
)
def test_triplet_of_each_similarity(kind: str, hardness: str, sums: list[float]) -> None:
    found = loss(scores_by(kind), hardness=hardness, margin=MARGIN[kind])
    assert found == pytest.approx(sum(sums) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [
        ("cosine", [(0.6, 0.0), (0.6, 0.2), (0.08, 0.0), (0.08, 0.2)]),
        ("dot", [(10, 0), (10, 3), (1, 0), (1, 3)]),
        ("euclidean", [(5, 0), (5, 1), (2, 0), (2, 1)]),
    ],
)
def test_random_triplet_of_each_similarity(kind: str, pairs: list[tuple[float, float]]) -> None:
    options = {"hardness": "random", "margin": MARGIN[kind]}
    found = {round(loss(scores_by(kind), seed=seed, **options), 4) for seed in range(60)}
    assert sorted(found) == pytest.approx(sorted(sum(pair) / 2 for pair in pairs))


@pytest.mark.parametrize("kind", BY_HAND)
def test_softmax_of_each_similarity(kind: str) -> None:
    logits = [[score / 0.5 for score in row] for row in BY_HAND[kind]]
    logits[0][0] -= 0.2 / 0.5
    logits[1][1] -= 0.2 / 0.5
    found = loss(scores_by(kind), loss="softmax", temperature=0.5, margin=0.2)
    assert found == pytest.approx(cross_entropy(logits), rel=1e-5)


# Scores less the margin .2 of the positive, over the temperature .1.
@pytest.mark.parametrize("hardness", HARDNESS)
def test_softmax_by_hand_whatever_the_hardness(hardness: str) -> None:
    options = {"loss": "softmax", "hardness": hardness, "temperature": 0.1, "margin": 0.2}
    ahead = cross_entropy([[7, 7, 1, 8], [2, 3, 6, 1], [0, 0, 2, 3]])
    assert loss(SCORES, **options) == pytest.approx(ahead, rel=1e-5)
    back = cross_entropy([[7, 2, 0], [7, 3, 0], [1, 6, 2]])
    both = loss(SCORES, both_directions=True, **options)
    assert both == pytest.approx((ahead + back) / 2, rel=1e-5)


def test_softmax_leaves_out_ignored_pairs_in_both_directions() -> None:
    options = {"loss": "softmax", "temperature": 0.1, "margin": 0.0, "both_directions": True}
    found = loss(SCORES, ignoring((0, 1), (0, 3), (1, 2)), **options)
    none = -math.inf
    ahead = cross_entropy([[9, none, 1, none], [2, 5, none, 1], [0, 0, 4, 3]])
    back = cross_entropy([[9, 2, 0], [none, 5, 0], [1, none, 4]])
    assert found == pytest.approx((ahead + back) / 2, rel=1e-5)


@pytest.mark.parametrize("margin", [0.1, 0.3, 0.5])
def test_margin_decides_which_negatives_pull(margin: float) -> None:
    scores = SCORES.clone().requires_grad_()
    config = dataclasses.replace(tiny.TRAIN, margin=margin)
    batch_loss(scores, ignoring(), config, torch.Generator()).backward()
    assert scores.grad is not None
    pulling = (margin - SCORES.diagonal().unsqueeze(1) + SCORES > 0) & ~torch.eye(3, 4).bool()
    assert torch.equal(scores.grad > 0, pulling)


@pytest.mark.parametrize("hardness", ["all", "random", "hardest", "semi-hard"])
def test_a_collapsed_batch_costs_the_margin_a_chosen_negative(hardness: str) -> None:
    found = loss(torch.ones(5, 7), hardness=hardness, margin=0.2)
    assert found == pytest.approx(0.2 * (6 if hardness == "all" else 1))
