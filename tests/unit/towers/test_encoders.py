"""Invariant 1: padding, company and order can never change a vector."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from twotower.artifacts import TokenStore
from twotower.towers.encode import batches_by_length, encode, to_tensors
from twotower.towers.encoders import last_pool, max_pool, mean_pool

CPU = torch.device("cpu")
ENCODERS = [
    {"encoder": "average", "token_weights": weights} for weights in ("none", "idf", "learned")
] + [
    {"encoder": cell, "pooling": pooling, "bidirectional": both}
    for cell in ("rnn", "gru", "lstm")
    for pooling in ("mean", "max", "last")
    for both in (False, True)
]


def vectors(changes: dict[str, object], store: TokenStore) -> Tensor:
    with torch.no_grad():
        return tiny.towers(**changes).queries(*to_tensors(store, CPU))


@pytest.mark.parametrize("changes", ENCODERS, ids=str)
def test_a_text_alone_and_beside_far_longer_ones_has_the_same_vector(
    changes: dict[str, object],
) -> None:
    short, long = [5, 9], list(np.arange(1, 39)) * 5
    alone = vectors(changes, tiny.store([short]))
    # Enough long ones that some must share a group, and so padding, with the short one.
    beside = vectors(changes, tiny.store([long, short, *[long] * 20, [7]]))
    torch.testing.assert_close(beside[1], alone[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("changes", ENCODERS, ids=str)
def test_the_order_of_a_batch_changes_nothing(changes: dict[str, object]) -> None:
    texts = tiny.random_store(23, seed=1)
    order = np.random.default_rng(2).permutation(23)
    straight, shuffled = vectors(changes, texts), vectors(changes, texts.take(order))
    torch.testing.assert_close(shuffled, straight[order], atol=1e-5, rtol=0)


@pytest.mark.parametrize("changes", ENCODERS, ids=str)
def test_different_texts_have_different_vectors(changes: dict[str, object]) -> None:
    both = vectors(changes, tiny.store([[5, 9, 12], [5, 9, 13]]))
    assert not torch.allclose(both[0], both[1], atol=1e-4)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_recurrent_states_equal_torch_reading_each_text_alone(cell: str) -> None:
    towers = tiny.towers(encoder=cell, pooling="mean", bidirectional=True)
    texts = tiny.random_store(20, seed=4)
    with torch.no_grad():
        ours = towers.query(*to_tensors(texts, CPU))
        ahead, back = towers.query.cells
        for row in range(20):
            ids = texts.ids[texts.offsets[row] : texts.offsets[row + 1]].astype(np.int64)
            words = towers.query.table[ids].unsqueeze(0) * towers.query.table.shape[1] ** 0.5
            reference = [ahead(words)[0].mean(1), back(words.flip(1))[0].mean(1)]
            torch.testing.assert_close(ours[row], torch.cat(reference, 1)[0], atol=1e-5, rtol=0)


def test_average_is_the_weighted_sum_by_hand() -> None:
    towers = tiny.towers(token_weights="idf")
    table, weights = towers.query.table, towers.query.weights
    with torch.no_grad():
        ours = towers.query(torch.tensor([4, 4, 9]), torch.tensor([2, 1]))
        torch.testing.assert_close(ours[0], 2 * weights[4] * table[4])
        torch.testing.assert_close(ours[1], weights[9] * table[9])


def test_poolings_by_hand() -> None:
    states = torch.tensor([[[1.0, 5.0], [3.0, 1.0], [99.0, 99.0]]])
    real = torch.tensor([[True, True, False]])
    assert mean_pool(states, real).tolist() == [[2.0, 3.0]]
    assert max_pool(states, real).tolist() == [[3.0, 5.0]]
    assert last_pool(states, real).tolist() == [[3.0, 1.0]]


@pytest.mark.parametrize("budget", [1, 17, 10_000])
def test_encode_puts_each_text_in_its_row_whatever_the_batches(budget: int) -> None:
    texts, towers = tiny.random_store(31, seed=5), tiny.towers()
    whole = vectors({}, texts).numpy()
    found = encode(towers.queries, texts, towers.width, CPU, batch_tokens=budget)
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = np.array([3, 50, 1, 7, 7, 2])
    batches = list(batches_by_length(lengths, 14))
    assert sorted(np.concatenate(batches).tolist()) == [0, 1, 2, 3, 4, 5]
    assert [batch.tolist() for batch in batches] == [[1], [3, 4], [0, 5, 2]]


def test_batches_stay_within_blocks_of_rows() -> None:
    batches = list(batches_by_length(np.array([1, 2, 3, 4, 5]), 100, block=2))
    assert [batch.tolist() for batch in batches] == [[1, 0], [3, 2], [4]]
