"""A toy training set: query i asks with two words for passage i, which says them among others."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tiny
import torch

from twotower.towers.model import TwoTowers
from twotower.training import dev, loop, negatives
from twotower.training.checkpoint import Keeper
from twotower.training.pairs import Pairs, Texts, make_pairs
from twotower.training.settings import Settings
from twotower.training.step import Material, Stepper

CPU = torch.device("cpu")
QUERIES = 60
ROWS = np.arange(QUERIES)
SEED = 5


def texts() -> Texts:
    generator = np.random.default_rng(1)
    asked = generator.integers(2, tiny.WORDS, (QUERIES, 2))
    said = [[*row[::-1].tolist(), *generator.integers(2, 9, 4).tolist()] for row in asked]
    return Texts(tiny.store(asked.tolist()), tiny.store(said))


def pairs() -> Pairs:
    return make_pairs(ROWS, ROWS, ROWS)


def material() -> Material:
    """With three unselected passages a query, and three of BM25's, of which one is relevant."""
    query_rows, steps = np.repeat(ROWS, 3), np.tile(np.arange(3), QUERIES)
    unselected = (query_rows, (query_rows + 1 + steps) % QUERIES)
    bm25 = (query_rows, (query_rows + 7 * steps) % QUERIES)
    return Material(pairs(), texts(), negatives.gather(pairs(), QUERIES, unselected, bm25))


def dev_set() -> dev.DevSet:
    return dev.make_dev_set(texts(), ROWS, ROWS, 0, seed=1)


def settings(brought: dict[str, Any] | None = None, **changes: Any) -> Settings:
    """brought: changes to tiny.NEGATIVES; the others are to tiny.TRAIN."""
    return Settings(
        tiny.MODEL,
        dataclasses.replace(tiny.TRAIN, **changes),
        dataclasses.replace(tiny.NEGATIVES, **(brought or {})),
        SEED,
        CPU,
        batch_tokens=500,
    )


def stepper(towers: TwoTowers, brought: dict[str, Any] | None = None, **changes: Any) -> Stepper:
    chosen = settings(brought, **changes)
    return Stepper(towers, material(), chosen.train, chosen.negatives, seed=SEED, device=CPU)


def run(
    towers: TwoTowers,
    brought: dict[str, Any] | None = None,
    *,
    report: loop.Report = lambda seen, step: None,
    keeper: Keeper | None = None,
    **changes: Any,
) -> loop.Result:
    """Train the towers."""
    chosen = settings(brought, **changes)
    keeper = keeper or Keeper()
    return loop.train(towers, material(), dev_set(), chosen, report=report, keeper=keeper)


def gradients(towers: TwoTowers) -> dict[str, torch.Tensor]:
    """Give every gradient there is, dense, and clear them."""
    found = {
        name: weight.grad.to_dense().clone()
        for name, weight in towers.named_parameters()
        if weight.grad is not None
    }
    towers.zero_grad(set_to_none=True)
    return found
