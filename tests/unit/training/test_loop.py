"""The training loop: repeats exactly, learns, keeps the best epoch, notices a collapse."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import toy
from torch import Tensor

from twotower.errors import CollapseError, TrainingError
from twotower.training import dev, loop, watch
from twotower.training.pairs import Ragged

STEPS = 8
"""Of one epoch: 60 pairs, 8 a batch."""
STILL = {
    "table_learning_rate": 1e-9,
    "identities_learning_rate": 1e-9,
    "weights_learning_rate": 1e-9,
}
"""Rates at which nothing is learned."""


@pytest.mark.parametrize(
    "changes", [{}, {"encoder": "lstm", "dropout": 0.2, "anchor": 0.0}], ids=["average", "lstm"]
)
def test_same_seed_same_losses_and_same_weights(changes: dict[str, Any]) -> None:
    first, second = tiny.towers(**changes), tiny.towers(**changes)
    brought = {"random": 1, "own": 1}
    results = [toy.run(towers, brought, hardness="random") for towers in (first, second)]
    assert results[0] == results[1]
    assert len(results[0].steps) == 2 * STEPS
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


@pytest.mark.parametrize("loss", ["triplet", "softmax"])
def test_training_improves_dev_quality(loss: str) -> None:
    result = toy.run(tiny.towers(token_weights="none", **tiny.PLAIN), loss=loss, epochs=8)
    start, *epochs = [row["dev_mrr_at_10"] for row in result.epochs]
    assert max(epochs) > start + 0.05


def given_qualities(monkeypatch: pytest.MonkeyPatch, qualities: list[float]) -> None:
    """Let the dev evaluation find these, the first of them before training."""
    given = iter(qualities)

    def evaluate(*_anything: object) -> dict[str, float]:
        return {"dev_mrr_at_10": next(given), "dev_recall_at_100": 0.0}

    monkeypatch.setattr(dev, "evaluate", evaluate)


def test_the_best_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of equally good ones, whatever came after it."""
    towers, weights = tiny.towers(), []

    def report(seen: dict[str, float], step: int) -> None:
        if "dev_mrr_at_10" in seen:
            weights.append({name: each.clone() for name, each in towers.state_dict().items()})

    given_qualities(monkeypatch, [0.1, 0.3, 0.5, 0.5, 0.2])
    result = toy.run(towers, report=report, epochs=4)
    assert result.best_epoch == 2
    for name, weight in towers.state_dict().items():
        assert torch.equal(weight, weights[2][name]), name
    assert not torch.equal(weights[2]["table.own"], weights[3]["table.own"])


def test_the_dev_quality_of_the_result_is_that_of_its_towers() -> None:
    towers = tiny.towers()
    result = toy.run(towers, epochs=4, table_learning_rate=0.2)
    kept = dev.evaluate(towers, toy.dev_set(), toy.settings())
    best = max(row["dev_mrr_at_10"] for row in result.epochs[1:])
    assert kept["dev_mrr_at_10"] == best == result.epochs[result.best_epoch]["dev_mrr_at_10"]


@pytest.mark.parametrize(
    ("patience", "epochs", "best"), [(0, 6, 5), (1, 2, 1), (2, 3, 1), (3, 4, 1), (4, 6, 5)]
)
def test_training_ends_after_epochs_without_a_better_one(
    patience: int, epochs: int, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_qualities(monkeypatch, [0.9, 0.5, 0.4, 0.5, 0.3, 0.6, 0.1])
    result = toy.run(tiny.towers(), epochs=6, patience=patience)
    assert len(result.epochs) == 1 + epochs
    assert len(result.steps) == STEPS * epochs
    assert result.best_epoch == best


def test_what_is_reported_is_what_results(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[tuple[int, dict[str, float]]] = []
    result = toy.run(tiny.towers(), report=lambda seen, step: reported.append((step, seen)))
    steps = [{"step": float(step), **seen} for step, seen in reported if "loss" in seen]
    assert steps == [
        {key: value for key, value in row.items() if key != "epoch"} for row in result.steps
    ]
    assert [row["epoch"] for row in result.steps] == [1.0] * STEPS + [2.0] * STEPS
    dev_steps = [step for step, seen in reported if "dev_mrr_at_10" in seen]
    assert dev_steps == [0, STEPS, 2 * STEPS]
    late = [row["loss"] for row in result.steps[STEPS + STEPS // 2 :]]
    assert result.epochs[2]["loss"] == pytest.approx(np.mean(late)), "of the epoch's second half"


def tables(part: str, **changes: Any) -> list[Tensor]:
    """Train; give a part of the table as it was at the start and after each step."""
    towers = tiny.towers()
    seen = [getattr(towers.table, part).detach().clone()]

    def report(values: dict[str, float], step: int) -> None:
        if "loss" in values:
            seen.append(getattr(towers.table, part).detach().clone())

    toy.run(towers, report=report, **changes)
    return seen


@pytest.mark.parametrize("part", ["own", "identities"])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_table_is_frozen_up_to_its_first_epoch(first: int, part: str) -> None:
    start, *after = tables(part, table_from_epoch=first)
    frozen = [torch.equal(start, table) for table in after]
    expected = {0: 2 * STEPS, 1: 0, 2: STEPS}[first]
    assert frozen == [True] * expected + [False] * (2 * STEPS - expected)


def test_identities_of_rate_0_stay_as_they_are() -> None:
    for part, moves in (("own", True), ("identities", False)):
        start, *after = tables(part, identities_learning_rate=0.0)
        assert [not torch.equal(start, table) for table in after] == [moves] * 2 * STEPS


@pytest.mark.parametrize("weights", ["none", "idf", "learned"])
def test_only_learned_token_weights_move(weights: str) -> None:
    towers = tiny.towers(token_weights=weights)
    ids, lengths = torch.arange(2, 9), torch.ones(7, dtype=torch.long)
    before = towers.passage.weigh(ids, lengths).detach().clone()
    toy.run(towers)
    assert torch.equal(before, towers.passage.weigh(ids, lengths)) is (weights != "learned")


@pytest.mark.parametrize("loss", ["triplet", "softmax"])
def test_the_margin_matters(loss: str) -> None:
    losses = [
        toy.run(tiny.towers(), loss=loss, margin=margin).steps[-1]["loss"] for margin in (0.2, 0.5)
    ]
    assert losses[0] != pytest.approx(losses[1], rel=0.05)


def own_lists_of(monkeypatch: pytest.MonkeyPatch, **brought: Any) -> tuple[list[Any], loop.Result]:
    """Train 5 epochs; give (steps done, ranked rows) of each search for own negatives."""
    done, found = [0], []
    make = loop.own_lists

    def watched(config: Any, groups: Any, rows_QK: np.ndarray, lists: int) -> Ragged:
        found.append((done[0], rows_QK))
        return make(config, groups, rows_QK, lists)

    def report(seen: dict[str, float], step: int) -> None:
        done[0] = step

    monkeypatch.setattr(loop, "own_lists", watched)
    result = toy.run(tiny.towers(), brought, report=report, epochs=5, table_learning_rate=0.05)
    return found, result


@pytest.mark.parametrize(
    ("refresh_epochs", "epochs"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (9, [0])]
)
def test_the_towers_search_again_for_negatives_every_so_many_epochs(
    refresh_epochs: int, epochs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, with_own = own_lists_of(monkeypatch, own=2, refresh_epochs=refresh_epochs, last_rank=12)
    assert [steps for steps, _ in found] == [STEPS * epoch for epoch in epochs]
    untrained = tiny.towers()
    first = dev.search(untrained, toy.texts().queries, toy.texts().passages, 12, toy.settings())
    assert np.array_equal(found[0][1], first)
    assert all(not np.array_equal(first, later) for _, later in found[1:])
    none_found, without = own_lists_of(monkeypatch, own=0)
    assert none_found == []
    assert with_own.steps[0]["loss"] > without.steps[0]["loss"], "all negatives are summed"


def test_a_collapse_is_noticed() -> None:
    """Invariant 7: towers that map everything to one direction end in an error."""
    towers = tiny.towers(token_weights="none")
    with torch.no_grad():
        for part in towers.table.parameters():
            part[:] = 1.0
    with pytest.raises(CollapseError, match=r"epoch 1: collapsed: .* mean cosine of 1\.0000"):
        toy.run(towers, **STILL)


@pytest.mark.parametrize("loss", ["triplet", "softmax"])
def test_a_collapse_of_one_tower_is_noticed(loss: str) -> None:
    towers = tiny.towers(token_weights="none", share="nothing")
    with torch.no_grad():
        for part in towers.query.encoder.table.parameters():
            part[:] = 1.0
    with pytest.raises(CollapseError) as noticed:
        toy.run(towers, **STILL, loss=loss)
    assert "different queries of a batch have a mean cosine of 1.0000" in str(noticed.value)
    assert "different passages" not in str(noticed.value)


def test_a_loss_at_the_margin_is_a_collapse() -> None:
    seen = {"off_diagonal_cosine": 0.1, "query_off_diagonal_cosine": 0.1, "margin_distance": 1e-5}
    seen["gap"] = 1e-5
    with pytest.raises(CollapseError, match=r"the loss stands at the margin, 0\.3 a negative"):
        watch.refuse_collapse(seen, 3, tiny.TRAIN)
    watch.refuse_collapse(seen | {"margin_distance": 0.4}, 3, tiny.TRAIN)
    watch.refuse_collapse(seen | {"gap": 0.2}, 3, tiny.TRAIN)  # a mean that passes through it


def test_training_that_does_not_help_says_so(caplog: pytest.LogCaptureFixture) -> None:
    toy.run(tiny.towers(), epochs=1, **STILL)
    assert "training did not help: dev MRR@10 is" in caplog.text
    caplog.clear()
    toy.run(tiny.towers(), epochs=8)
    assert "did not help" not in caplog.text


def test_a_loss_that_is_no_number_is_noticed() -> None:
    towers = tiny.towers()
    with torch.no_grad():
        towers.table.own[5] = torch.nan
    with pytest.raises(TrainingError, match=r"step \d+: the loss is nan; lower the learning rates"):
        toy.run(towers)


def observed(scores: list[list[float]], ignored: list[tuple[int, int]]) -> dict[str, float]:
    scores_BN = torch.tensor(scores)
    ignored_BN = torch.zeros(scores_BN.shape, dtype=torch.bool)
    for pair in ignored:
        ignored_BN[pair] = True
    return watch.observe(torch.tensor(0.25), scores_BN, ignored_BN, config=tiny.TRAIN)


def test_what_is_observed_by_hand() -> None:
    seen = observed([[0.9, 0.1, 0.3, 0.2], [0.5, 0.4, 0.2, 0.1], [0.0, 0.2, 0.6, 0.6]], [(1, 0)])
    positive, negative = (0.9 + 0.4 + 0.6) / 3, (0.1 + 0.3 + 0.2 + 0.2 + 0.1 + 0.0 + 0.2 + 0.6) / 8
    assert seen["loss"] == 0.25
    assert seen["positive_score"] == pytest.approx(positive)
    assert seen["negative_score"] == pytest.approx(negative)
    assert seen["gap"] == pytest.approx(positive - negative)
    assert seen["in_batch_recall_at_1"] == pytest.approx(2 / 3), (
        "the ignored rival of query 1 does not count, the equal one of query 2 does"
    )
    assert seen["in_batch_recall_at_5"] == 1.0, "there are but three others"
    assert seen["margin_distance"] == pytest.approx(1 - 0.25 / (0.3 * 8 / 3))


def test_in_batch_recall_at_5_by_hand() -> None:
    """Five passages reach the first query's positive, four the second's."""
    seen = observed([[0.5, 0.5, 0.6, 0.7, 0.8, 0.9], [0.9, 0.5, 0.6, 0.7, 0.8, 0.1]], [])
    assert seen["in_batch_recall_at_1"] == 0.0
    assert seen["in_batch_recall_at_5"] == 0.5


def test_spread_by_hand() -> None:
    queries = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    passages = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])
    seen = watch.spread(queries, passages)
    assert seen["off_diagonal_cosine"] == pytest.approx((0.0 + 0.6 - 1.0 + 0.8 + 0.0 - 0.6) / 6)
    assert seen["query_off_diagonal_cosine"] == pytest.approx((1.0 + 0.0 + 0.0) / 3)


def test_dev_pool_holds_every_relevant_passage_and_a_seeded_rest() -> None:
    rows = np.arange(5)
    chosen, again, other = (
        dev.make_dev_set(toy.texts(), rows, rows + 50, pool_size=20, seed=seed)
        for seed in (1, 1, 2)
    )
    assert len(chosen.pool) == 20
    assert chosen.relevant_Q.tolist() == [1] * 5
    assert np.array_equal(chosen.pool.ids, again.pool.ids)
    assert not np.array_equal(chosen.pool.ids, other.pool.ids)
    for query, key in enumerate(chosen.relevant.tolist()):
        passage = chosen.pool.take(np.array([key - query * 20])).ids
        assert np.array_equal(passage, toy.texts().passages.take(rows[query : query + 1] + 50).ids)


def test_towers_and_training_need_torch_and_numpy_alone() -> None:
    """So that the same code runs on a bare GPU machine."""
    code = """
import importlib, pkgutil, sys
for name in ("dvc", "mlflow", "polars", "nltk", "faiss", "pyarrow", "yaml", "safetensors"):
    sys.modules[name] = None
names = ["twotower.devices"]
for room in ("towers", "training"):
    package = importlib.import_module(f"twotower.{room}")
    names += [each.name for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
for name in names:
    importlib.import_module(name)
print(*names)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ}, capture_output=True, text=True
    )
    assert {"twotower.towers.model", "twotower.training.loop"} < set(done.stdout.split())
