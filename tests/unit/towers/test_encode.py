"""Encoding a whole store: batches by length, and each vector in the row of its text."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from twotower.towers.encode import batches_by_length, encode, to_tensors

CPU = torch.device("cpu")


@pytest.mark.parametrize("encoder", ["average", "gru"])
@pytest.mark.parametrize("budget", [1, 17, 10_000])
def test_each_text_is_in_its_row_whatever_the_batches(budget: int, encoder: str) -> None:
    texts, towers = tiny.random_store(31, seed=5), tiny.towers(encoder=encoder)
    with torch.no_grad():
        whole = towers.passages(*to_tensors(texts, CPU)).numpy()
    found = encode(towers.passages, texts, towers.width, CPU, batch_tokens=budget)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_batches_hold_every_row_once_within_the_budget() -> None:
    batches = list(batches_by_length(np.array([3, 50, 1, 7, 7, 2]), 14))
    assert [batch.tolist() for batch in batches] == [[1], [3, 4], [0, 5, 2]]


def test_batches_stay_within_blocks_of_rows() -> None:
    batches = list(batches_by_length(np.array([1, 2, 3, 4, 5]), 100, block=2))
    assert [batch.tolist() for batch in batches] == [[1, 0], [3, 2], [4]]
