"""Poolings on hand-worked states; what stands in the padding never matters."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from twotower.towers.pooling import POOLINGS, Attention

# Two texts, of two tokens and of three; 99 is padding.
STATES = torch.tensor(
    [[[1.0, 5.0], [3.0, 1.0], [99.0, 99.0]], [[-4.0, -1.0], [-2.0, -9.0], [-3.0, -5.0]]]
)
REAL = torch.tensor([[True, True, False], [True, True, True]])


def pooling(name: str) -> nn.Module:
    """One that has learned something, where it can."""
    pool = POOLINGS[name](2)
    with torch.no_grad():
        for weight in pool.parameters():
            weight.copy_(torch.tensor([0.7, -0.4]))
    return pool


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [[2.0, 3.0], [-3.0, -5.0]]),
        ("max", [[3.0, 5.0], [-2.0, -1.0]]),
        ("last", [[3.0, 1.0], [-3.0, -5.0]]),
        ("attention", [[2.0, 3.0], [-3.0, -5.0]]),  # starts as the mean
    ],
)
def test_by_hand(name: str, expected: list[list[float]]) -> None:
    torch.testing.assert_close(POOLINGS[name](2)(STATES, REAL), torch.tensor(expected))


def test_attention_weighs_states_by_their_product_with_the_query() -> None:
    attention = Attention(2)
    with torch.no_grad():
        attention.query.copy_(torch.tensor([math.log(3) / 2, 0.0]))
    # Text 0: the second state's product is ln 3 more, so the weights are 1/4 and 3/4.
    # Text 1: 3^(-4/2), 3^(-2/2), 3^(-3/2) are as 1 : 3 : root of 3.
    root, total = math.sqrt(3), 4 + math.sqrt(3)
    second = [(-4 - 6 - 3 * root) / total, (-1 - 27 - 5 * root) / total]
    expected = torch.tensor([[2.5, 2.0], second])
    torch.testing.assert_close(attention(STATES, REAL), expected)


def test_attention_learns_from_the_start() -> None:
    attention = Attention(2)
    attention(STATES, REAL).sum().backward()
    assert attention.query.grad is not None
    assert attention.query.grad.abs().min() > 0


@pytest.mark.parametrize("junk", [0.0, 1e6, -1e6])
@pytest.mark.parametrize("name", POOLINGS)
def test_padding_neither_adds_nor_learns(name: str, junk: float) -> None:
    pool, alone = pooling(name), STATES[:1, :2]
    padded = torch.cat([alone, torch.full((1, 4, 2), junk)], dim=1).requires_grad_()
    real = torch.tensor([[True] * 2 + [False] * 4])
    pooled: Tensor = pool(padded, real)
    torch.testing.assert_close(pooled, pool(alone, real[:, :2]))
    pooled.sum().backward()
    assert padded.grad is not None
    assert not padded.grad[:, 2:].any()
    assert padded.grad[:, :2].any()
