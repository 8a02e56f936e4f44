"""Losses on hand-worked scores."""

from __future__ import annotations

import math

import pytest
import torch

from twotower.towers.losses import margin_loss, softmax_loss

SCORES = torch.tensor([[0.9, 0.7, 0.1], [0.2, 0.5, 0.6], [0.0, 0.0, 0.4]])
NOTHING = torch.zeros(3, 3, dtype=torch.bool)


def test_margin_sums_what_each_query_lacks() -> None:
    # Query 0: .3 - .9 + .7 = .1; query 1: .3 - .5 + .2 = 0 and .3 - .5 + .6 = .4; query 2: none.
    assert margin_loss(SCORES, NOTHING, 0.3).item() == pytest.approx((0.1 + 0.4) / 3)


def test_margin_leaves_out_false_negatives() -> None:
    ignored = NOTHING.clone()
    ignored[1, 2] = True
    assert margin_loss(SCORES, ignored, 0.3).item() == pytest.approx(0.1 / 3)


def test_margin_of_a_collapsed_batch_is_the_margin_a_negative() -> None:
    assert margin_loss(torch.ones(5, 5), torch.zeros(5, 5, dtype=torch.bool), 0.2).item() == (
        pytest.approx(0.2 * 4)
    )


def test_softmax_by_hand() -> None:
    scores, nothing = SCORES[:2, :2], NOTHING[:2, :2]
    expected = [-math.log(math.exp(9) / (math.exp(9) + math.exp(7)))]
    expected += [-math.log(math.exp(5) / (math.exp(5) + math.exp(2)))]
    assert softmax_loss(scores, nothing, 0.1).item() == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_softmax_leaves_out_false_negatives() -> None:
    ignored = torch.tensor([[False, True], [True, False]])
    assert softmax_loss(SCORES[:2, :2], ignored, 0.1).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("margin", [0.1, 0.3, 0.5])
def test_margin_moves_the_gradient(margin: float) -> None:
    """The parameter matters: which negatives pull depends on it."""
    scores = SCORES.clone().requires_grad_()
    margin_loss(scores, NOTHING, margin).backward()
    assert scores.grad is not None
    pulling = (margin - SCORES.diagonal().unsqueeze(1) + SCORES > 0) & ~torch.eye(3).bool()
    assert torch.equal((scores.grad > 0), pulling)
