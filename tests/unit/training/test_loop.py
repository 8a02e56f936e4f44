"""The training loop: repeats exactly, learns, keeps the best epoch, notices a collapse."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from twotower.errors import CollapseError, TrainingError
from twotower.towers.model import TwoTowers
from twotower.training import dev, watch
from twotower.training.loop import Result, train
from twotower.training.pairs import Texts, make_pairs

CPU = torch.device("cpu")
QUERIES = 60


def texts() -> Texts:
    """Query i asks with two words for passage i, which says them among others."""
    generator = np.random.default_rng(1)
    asked = generator.integers(2, tiny.WORDS, (QUERIES, 2))
    said = [[*row[::-1].tolist(), *generator.integers(2, 9, 4).tolist()] for row in asked]
    return Texts(tiny.store(asked.tolist()), tiny.store(said))


def run(towers: TwoTowers, **changes: Any) -> Result:
    rows = np.arange(QUERIES)
    stores, reported = texts(), []
    return train(
        towers,
        make_pairs(rows, rows, rows),
        stores,
        dev.make_dev_set(stores, rows, rows, 0, seed=1),
        dataclasses.replace(tiny.TRAIN, **changes),
        seed=5,
        device=CPU,
        batch_tokens=500,
        report=lambda seen, step: reported.append((step, seen)),
    )


@pytest.mark.parametrize("encoder", ["average", "lstm"])
def test_same_seed_same_losses_and_same_weights(encoder: str) -> None:
    first, second = tiny.towers(encoder=encoder), tiny.towers(encoder=encoder)
    assert run(first).steps == run(second).steps
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


@pytest.mark.parametrize("loss", ["margin", "softmax"])
def test_training_improves_dev_quality(loss: str) -> None:
    result = run(tiny.towers(token_weights="none"), loss=loss, epochs=8)
    start, *epochs = [row["dev_mrr_at_10"] for row in result.epochs]
    assert max(epochs) > start + 0.1


def test_the_best_epoch_is_kept() -> None:
    towers = tiny.towers()
    result = run(towers, epochs=6, learning_rate=0.2)
    stores, rows = texts(), np.arange(QUERIES)
    kept = dev.evaluate(towers, dev.make_dev_set(stores, rows, rows, 0, seed=1), CPU, 500)
    best = max(row["dev_mrr_at_10"] for row in result.epochs[1:])
    assert kept["dev_mrr_at_10"] == best == result.epochs[result.best_epoch]["dev_mrr_at_10"]


def test_margin_matters_under_the_default_loss() -> None:
    losses = [run(tiny.towers(), margin=margin).steps[-1]["loss"] for margin in (0.2, 0.5)]
    assert losses[0] != pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize("weights", ["none", "idf", "learned"])
def test_only_learned_token_weights_move(weights: str) -> None:
    towers = tiny.towers(token_weights=weights)
    before = towers.query(torch.arange(2, 9), torch.ones(7, dtype=torch.long)).norm(dim=1)
    table = towers.query.table.detach().clone()
    run(towers)
    with torch.no_grad():
        towers.query.table[:] = table
    after = towers.query(torch.arange(2, 9), torch.ones(7, dtype=torch.long)).norm(dim=1)
    assert torch.equal(before, after) is (weights != "learned")


def test_a_collapse_is_noticed() -> None:
    """Invariant 7: towers that map everything to one direction end in an error."""
    towers = tiny.towers(token_weights="none")
    with torch.no_grad():
        towers.query.table[:] = 1.0
    with pytest.raises(CollapseError, match=r"epoch 1: collapsed: .* mean cosine of 1\.0000"):
        run(towers, learning_rate=1e-9)


@pytest.mark.parametrize("loss", ["margin", "softmax"])
def test_a_collapse_of_one_tower_is_noticed(loss: str) -> None:
    towers = tiny.towers(token_weights="none", shared=False)
    with torch.no_grad():
        towers.query.table[:] = 1.0
    with pytest.raises(CollapseError, match=r"different queries of a batch .* 1\.0000"):
        run(towers, learning_rate=1e-9, loss=loss)


def test_a_loss_at_the_margin_is_a_collapse() -> None:
    seen = {"off_diagonal_cosine": 0.1, "query_off_diagonal_cosine": 0.1, "margin_distance": 1e-5}
    with pytest.raises(CollapseError, match=r"the loss stands at the margin, 0\.3 a negative"):
        watch.refuse_collapse(seen, 3, tiny.TRAIN)
    watch.refuse_collapse(seen | {"margin_distance": 0.4}, 3, tiny.TRAIN)


def test_training_that_does_not_help_says_so(caplog: pytest.LogCaptureFixture) -> None:
    run(tiny.towers(), learning_rate=1e-9, epochs=1)
    assert "training did not help: dev MRR@10 is" in caplog.text


def test_a_loss_that_is_no_number_is_noticed() -> None:
    towers = tiny.towers()
    with torch.no_grad():
        towers.query.table[5] = torch.nan
    with pytest.raises(TrainingError, match="the loss is nan"):
        run(towers)


def test_what_is_observed_by_hand() -> None:
    passages = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    scores = torch.tensor([[0.9, 0.1, 0.3], [0.5, 0.4, 0.2], [0.0, 0.2, 0.6]])
    ignored = torch.zeros(3, 3, dtype=torch.bool)
    ignored[1, 0] = True
    queries = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    seen = watch.observe(torch.tensor(0.25), scores, ignored, queries, passages, config=tiny.TRAIN)
    assert seen["positive_cosine"] == pytest.approx((0.9 + 0.4 + 0.6) / 3)
    assert seen["negative_cosine"] == pytest.approx((0.1 + 0.3 + 0.2 + 0.0 + 0.2) / 5)
    assert seen["in_batch_recall_at_1"] == 1.0, "the ignored rival of query 1 does not count"
    assert seen["off_diagonal_cosine"] == pytest.approx((0.0 + 0.6 + 0.8) / 3)
    assert seen["query_off_diagonal_cosine"] == pytest.approx((1.0 + 0.0 + 0.0) / 3)
    assert seen["margin_distance"] == pytest.approx(1 - 0.25 / (0.3 * 5 / 3))


def test_dev_pool_holds_every_relevant_passage_and_a_seeded_rest() -> None:
    stores, rows = texts(), np.arange(5)
    chosen = dev.make_dev_set(stores, rows, rows + 50, pool_size=20, seed=1)
    assert len(chosen.pool) == 20
    assert chosen.relevant_Q.tolist() == [1] * 5
    again = dev.make_dev_set(stores, rows, rows + 50, pool_size=20, seed=1)
    assert np.array_equal(chosen.pool.ids, again.pool.ids)


def test_towers_and_training_need_torch_and_numpy_alone() -> None:
    """So that the same code runs on a bare GPU machine."""
    code = """
import importlib, sys
for name in ("dvc", "mlflow", "polars", "nltk", "faiss", "pyarrow", "yaml", "safetensors"):
    sys.modules[name] = None
for name in ("towers.encoders", "towers.losses", "towers.table", "towers.encode",
             "training.loop", "training.dev", "training.pairs", "training.watch", "devices"):
    importlib.import_module(f"twotower.{name}")
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
