"""One step: cached gradients, the loss at several widths, exact repeats, every loss learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
import torch
import toy
from torch import Tensor

from twotower.config import Train
from twotower.towers.encode import to_tensors
from twotower.towers.losses import HARDNESS, batch_loss
from twotower.towers.model import TwoTowers
from twotower.training.pairs import make_pairs
from twotower.training.step import Chunk, Material, Stepper

BATCH = np.arange(3, 26)
BROUGHT = {"random": 1, "unselected": 1, "bm25": 2, "max_score": 0.9}
ENCODERS: dict[str, dict[str, Any]] = {
    "average": {},
    "lstm": {"encoder": "lstm", "anchor": 0.0},
    "residual": {"encoder": "lstm", "residual": True},
    "two": {"query_encoder": "gru", "share": "table", "projection": 7, "anchor": 0.0},
}


def step(towers: TwoTowers, **changes: Any) -> tuple[float, dict[str, Tensor]]:
    loss = toy.stepper(towers, BROUGHT, **changes).gradients(BATCH, 1, 4)["loss"]
    return loss, toy.gradients(towers)


def give_the_residual_some_weight(towers: TwoTowers) -> None:
    """It starts at zero, where the cells have no gradient."""
    for name, weight in towers.named_parameters():
        if name.endswith("encoder.output.weight"):
            torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(1))


def assert_equal_gradients(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """To 1e-6 of each weight's gradient's length."""
    assert first.keys() == second.keys()
    for name, gradient in first.items():
        off = float((gradient - second[name]).norm() / gradient.norm())
        assert off < 1e-6, f"{name} is off by {off}"


@pytest.mark.parametrize("chunk_size", [1, 5, 23, 1000])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_cached_gradients_are_the_plain_ones(encoder: str, chunk_size: int) -> None:
    towers = tiny.towers(**ENCODERS[encoder])
    give_the_residual_some_weight(towers)
    loss, plain = step(towers, halvings=2)
    cached_loss, cached = step(towers, halvings=2, chunk_size=chunk_size)
    assert cached_loss == pytest.approx(loss, rel=1e-6)
    assert loss > 0
    assert_equal_gradients(plain, cached)


def test_gradients_are_cached_where_one_tower_has_nothing_to_train() -> None:
    changes = {"query_encoder": "average", "share": "table", "anchor": 0.0}
    towers = tiny.towers(encoder="lstm", token_weights="idf", **changes)
    towers.table.requires_grad_(requires_grad=False)
    _, plain = step(towers)
    assert all(name.startswith("passage.") for name in plain)
    assert_equal_gradients(plain, step(towers, chunk_size=5)[1])


def test_a_chunk_size_changes_no_negative_that_is_drawn() -> None:
    towers = tiny.towers()
    loss, plain = step(towers, hardness="random")
    cached_loss, cached = step(towers, hardness="random", chunk_size=5)
    assert cached_loss == pytest.approx(loss, rel=1e-6)
    assert_equal_gradients(plain, cached)


class WithGraph(Stepper):
    """Holds the graph of all chunks at once, as gradient caching avoids."""

    def _cached_backward(
        self, chunks: list[Chunk], size: int, ignored_BN: Tensor, generator: torch.Generator
    ) -> dict[str, float]:
        vectors = torch.cat([chunk() for chunk in chunks])
        return self._backward(vectors, size, ignored_BN, generator)


@pytest.mark.parametrize("encoder", ["average", "lstm"])
def test_with_dropout_a_chunk_drops_the_same_both_times(encoder: str) -> None:
    towers = tiny.towers(dropout=0.4, layers=2, **ENCODERS[encoder])
    _, cached = step(towers, chunk_size=6)
    chosen = toy.settings(BROUGHT, chunk_size=6)
    reference = WithGraph(
        towers, toy.material(), chosen.train, chosen.negatives, seed=toy.SEED, device=toy.CPU
    )
    reference.gradients(BATCH, 1, 4)
    assert_equal_gradients(toy.gradients(towers), cached)
    _, undropped = step(towers.eval(), chunk_size=6)
    assert any(not torch.allclose(each, cached[name]) for name, each in undropped.items())


@pytest.mark.parametrize(
    ("halvings", "widths"), [(0, [25]), (1, [25, 12]), (5, [25, 12, 6, 3, 1, 1])]
)
def test_halvings_give_the_mean_of_the_losses_at_all_widths(
    halvings: int, widths: list[int]
) -> None:
    towers, texts = tiny.towers(random_dims=20), toy.texts()
    assert towers.width == 25
    ids = [to_tensors(store.take(BATCH), toy.CPU) for store in (texts.queries, texts.passages)]
    none = torch.zeros(len(BATCH), len(BATCH), dtype=torch.bool)
    config = toy.settings(halvings=halvings).train

    @torch.no_grad()
    def at(width: int) -> float:
        vectors = towers.queries(*ids[0], width), towers.passages(*ids[1], width)
        return float(batch_loss(towers.score(*vectors), none, config, torch.Generator()))

    loss = toy.stepper(towers, halvings=halvings).gradients(BATCH, 1, 0)["loss"]
    assert loss == pytest.approx(np.mean([at(width) for width in widths]), rel=1e-6)


def test_a_step_repeats_whatever_ran_before_it() -> None:
    towers = tiny.towers(encoder="gru", residual=True, dropout=0.3)
    stepper = toy.stepper(towers, BROUGHT, hardness="random", chunk_size=9)

    def observed(epoch: int, number: int) -> tuple[dict[str, float], dict[str, Tensor]]:
        return stepper.gradients(BATCH, epoch, number), toy.gradients(towers)

    first, gradients = observed(2, 7)
    torch.rand(17)
    others = [observed(2, 8)[0], observed(3, 7)[0]]
    again, gradients_again = observed(2, 7)
    assert again == first
    for name, gradient in gradients.items():
        assert torch.equal(gradient, gradients_again[name]), name
    for other in others:
        assert other["loss"] != first["loss"]


def descended(config: Train, similarity: str) -> tuple[float, float]:
    """Give the loss of one batch before and after some steps on it."""
    towers = tiny.towers(similarity=similarity, anchor=0.0, token_weights="none")
    stepper = Stepper(towers, toy.material(), config, tiny.NEGATIVES, seed=toy.SEED, device=toy.CPU)
    optimiser = torch.optim.SparseAdam(list(towers.parameters()), lr=0.02)
    losses = []
    for _ in range(20):
        losses.append(stepper.gradients(BATCH, 1, 0)["loss"])
        optimiser.step()
        optimiser.zero_grad()
    return losses[0], losses[-1]


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("both_directions", [False, True])
@pytest.mark.parametrize("loss", [*HARDNESS, "softmax"])
def test_every_loss_falls(loss: str, both_directions: bool, similarity: str) -> None:
    changes = {"loss": "softmax"} if loss == "softmax" else {"hardness": loss}
    config = toy.settings(both_directions=both_directions, temperature=0.2, **changes).train
    first, last = descended(config, similarity)
    assert last < 0.8 * first


@pytest.mark.parametrize("loss", ["triplet", "softmax"])
def test_the_margin_matters(loss: str) -> None:
    losses = [step(tiny.towers(), loss=loss, margin=margin)[0] for margin in (0.1, 0.2, 0.5)]
    assert losses[1] > losses[0] * 1.05
    assert losses[2] > losses[1] * 1.05


def test_a_batch_without_a_true_negative_has_no_loss_and_no_gradient() -> None:
    """All queries have one text, so that each passage is relevant to each of them."""
    towers, plain = tiny.towers(), toy.material()
    one_text = make_pairs(toy.ROWS, toy.ROWS, toy.ROWS * 0)
    material = Material(one_text, plain.texts, plain.sources)
    stepper = Stepper(towers, material, tiny.TRAIN, tiny.NEGATIVES, seed=toy.SEED, device=toy.CPU)
    assert stepper.gradients(BATCH, 1, 0)["loss"] == 0
    assert all(bool((each == 0).all()) for each in toy.gradients(towers).values())


def test_a_long_anchor_is_no_sign_of_a_collapse() -> None:
    """All passages share it, so it would make their cosines nearly 1."""
    seen = [
        toy.stepper(tiny.towers(anchor=anchor)).gradients(np.arange(8), 1, 0)["off_diagonal_cosine"]
        for anchor in (0.01, 100.0)
    ]
    assert max(seen) < 0.9
