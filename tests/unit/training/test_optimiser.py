"""The optimisers: rows of the table like dense Adam, rates by kind, the schedule, clipping."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from twotower.config import Train
from twotower.towers.model import TwoTowers
from twotower.training.optimiser import Optimiser, schedule

RATES = {
    "table_learning_rate": 0.1,
    "weights_learning_rate": 0.2,
    "learning_rate": 0.3,
    "identities_learning_rate": 0.4,
}
SPARSE = ("own", "identities")


def config(**changes: Any) -> Train:
    return dataclasses.replace(tiny.TRAIN, **changes)


def every_kind() -> tuple[TwoTowers, dict[str, list[Tensor]]]:
    """Towers with both parts of a table, learned weights and cells, and their weights by kind."""
    towers = tiny.towers(encoder="gru", residual=True)
    own, identities = towers.table.own, towers.table.identities
    weights = [towers.query.weigh.gains, towers.passage.weigh.gains]
    named = {id(own), id(identities), *map(id, weights)}
    others = [weight for weight in towers.parameters() if id(weight) not in named]
    return towers, {
        "own": [own],
        "identities": [identities],
        "weights": weights,
        "others": others,
    }


def give_gradients(kinds: dict[str, list[Tensor]], value: float) -> None:
    """Every number's gradient is `value`; the table's are sparse, with a row of every word."""
    for kind, weights in kinds.items():
        for weight in weights:
            gradient = torch.full_like(weight, value)
            weight.grad = gradient.to_sparse(1) if kind in SPARSE else gradient


def rows_gradient(weight: Tensor, rows: list[int], value: float = 1.0) -> Tensor:
    """Give a sparse gradient of some rows, which may repeat."""
    values = torch.full((len(rows), weight.shape[1]), value)
    return torch.sparse_coo_tensor(
        torch.tensor([rows]), values, weight.shape, check_invariants=True
    )


def test_rows_of_the_table_step_as_in_dense_adam_if_every_word_is_in_every_batch() -> None:
    """Real gradients of the towers, against torch's Adam on a copy with the same ones, dense."""
    towers = tiny.towers(token_weights="none")
    ids = torch.arange(1, tiny.WORDS).repeat(6)
    lengths = torch.full((6,), 39)
    copies = [part.detach().clone().requires_grad_() for part in towers.table.parameters()]
    optimiser = Optimiser(
        towers, config(table_learning_rate=0.05, identities_learning_rate=0.05), 10
    )
    dense = torch.optim.Adam(copies, lr=0.05)
    for number in range(5):
        target = torch.randn(6, towers.width, generator=torch.Generator().manual_seed(number))
        (towers.passage(ids, lengths) * target).sum().backward()
        for part, copy in zip(towers.table.parameters(), copies, strict=True):
            assert part.grad is not None
            assert part.grad.is_sparse
            copy.grad = part.grad.to_dense()
        optimiser.step(number)
        dense.step()
    start = tiny.towers(token_weights="none").table
    for part, copy, before in zip(
        towers.table.parameters(), copies, start.parameters(), strict=True
    ):
        torch.testing.assert_close(part, copy, rtol=1e-5, atol=1e-6)
        moved = (part - before).abs().amax(1)
        assert bool((moved[2:] > 0.01).all())
        assert moved[0] == 0, "<pad> and the identity that is none stay zeros"


def test_rows_that_are_not_touched_do_not_move() -> None:
    towers = tiny.towers(token_weights="none")
    own, optimiser = towers.table.own, Optimiser(towers, config(), 10)
    before = own.detach().clone()
    own.grad = rows_gradient(own, [2, 5])
    optimiser.step(0)
    after_one = own.detach().clone()
    assert (after_one != before).any(1).nonzero().flatten().tolist() == [2, 5]
    own.grad = rows_gradient(own, [5, 7])
    optimiser.step(1)
    moved = (own != after_one).any(1).nonzero().flatten().tolist()
    assert moved == [5, 7], "row 2 has a moment, which dense Adam would go on with"


def test_each_kind_of_weight_has_its_own_rate_and_all_have_one_schedule() -> None:
    """Adam's first step is as long as the rate; the first of two warm-up steps has half of it."""
    towers, kinds = every_kind()
    before = {kind: [each.detach().clone() for each in weights] for kind, weights in kinds.items()}
    optimiser = Optimiser(towers, config(warmup=0.5, **RATES), steps=4)
    give_gradients(kinds, 1.0)
    seen = optimiser.step(0)
    moves = {"own": 0.05, "weights": 0.1, "others": 0.15, "identities": 0.2}
    for kind, moved in moves.items():
        for old, new in zip(before[kind], kinds[kind], strict=True):
            torch.testing.assert_close(old - new, torch.full_like(old, moved), atol=1e-5, rtol=0)
    assert seen["learning_rate"] == pytest.approx(0.15)
    assert all(weight.grad is None for weight in towers.parameters()), "gradients are used up"


@pytest.mark.parametrize(
    ("warmup", "decay", "expected"),
    [
        (0.0, "none", [1, 1, 1, 1]),
        (0.5, "none", [1 / 2, 1, 1, 1]),
        (1.0, "cosine", [1 / 4, 2 / 4, 3 / 4, 1]),
        (0.0, "linear", [1, 3 / 4, 2 / 4, 1 / 4]),
        (0.25, "linear", [1, 1, 2 / 3, 1 / 3]),
        (0.0, "cosine", [1, (1 + math.sqrt(0.5)) / 2, 1 / 2, (1 - math.sqrt(0.5)) / 2]),
        (0.5, "cosine", [1 / 2, 1, 1, 1 / 2]),
    ],
)
def test_the_schedule_by_hand(warmup: float, decay: str, expected: list[float]) -> None:
    shares = [schedule(number, 4, config(warmup=warmup, decay=decay)) for number in range(4)]
    assert shares == pytest.approx(expected)


@pytest.mark.parametrize("clip", [0.0, 2.5, 1e6])
def test_a_long_gradient_is_scaled_the_sparse_ones_too(clip: float) -> None:
    """The first moment is a tenth of the gradient that Adam got."""
    towers, kinds = every_kind()
    give_gradients(kinds, 3.0)
    optimiser = Optimiser(towers, config(clip_norm=clip), 10)
    norm = 3 * math.sqrt(sum(weight.numel() for weight in towers.parameters()))
    assert optimiser.step(0)["gradient_norm"] == pytest.approx(norm, rel=1e-5)
    share = clip / norm if clip == 2.5 else 1.0
    moments = [of["exp_avg"] for part in optimiser.parts for of in part.state.values()]
    assert len(moments) == len(list(towers.parameters()))
    for moment in moments:
        expected = torch.full_like(moment, 0.3 * share)
        torch.testing.assert_close(moment, expected, rtol=1e-4, atol=0)


def test_a_row_that_stands_twice_in_a_gradient_counts_as_its_sum() -> None:
    towers = tiny.towers(token_weights="none")
    own, optimiser = towers.table.own, Optimiser(towers, config(clip_norm=1.0), 10)
    own.grad = rows_gradient(own, [3, 3])
    width = own.shape[1]
    assert optimiser.step(0)["gradient_norm"] == pytest.approx(2 * math.sqrt(width))
    moment = optimiser.parts[0].state[own]["exp_avg"]
    assert moment[3].numpy() == pytest.approx(np.full(width, 0.1 / math.sqrt(width)), rel=1e-4)
    assert moment[4].abs().max() == 0


@pytest.mark.parametrize(("name", "kept"), [("adamw", 1 - 0.3 * 0.5), ("adam", 1.0)])
def test_weights_decay_with_adamw_alone_and_the_table_never(name: str, kept: float) -> None:
    """Gradients of zero leave only the decay: rate x share of each weight."""
    towers, kinds = every_kind()
    with torch.no_grad():
        kinds["weights"][0].fill_(1.0)
    before = {kind: [each.detach().clone() for each in weights] for kind, weights in kinds.items()}
    chosen = config(optimiser=name, weight_decay=0.5, **RATES)
    give_gradients(kinds, 0.0)
    for kind in SPARSE:
        (part,) = kinds[kind]
        part.grad = rows_gradient(part, list(range(len(part))), 0.0)
    Optimiser(towers, chosen, 10).step(0)
    for old, new in zip(before["others"], kinds["others"], strict=True):
        torch.testing.assert_close(new, old * kept)
    expected = 1 - 0.2 * 0.5 if name == "adamw" else 1.0
    assert kinds["weights"][0].unique().tolist() == pytest.approx([expected])
    for kind in SPARSE:
        assert torch.equal(before[kind][0], kinds[kind][0])
