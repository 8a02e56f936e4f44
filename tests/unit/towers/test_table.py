"""The table of word vectors: what it starts as, and its sparse gradients against dense ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor
from torch.nn import functional

from twotower.artifacts import PAD, UNK, WordVectors
from twotower.towers.table import (
    NO_IDENTITY,
    Table,
    inverse_document_frequency,
    make_table,
    start_table,
)

OTHER = 3
"""Word 3 is of the same identity as word 2, and has a pretrained vector of zeros in `vectors`."""


def vectors() -> WordVectors:
    drawn = tiny.word_vectors()
    drawn.pretrained_VE[OTHER] = 0
    return drawn


def started(seed: int = 1, **changes: object) -> Table:
    return start_table(vectors(), dataclasses.replace(tiny.MODEL, **changes), seed)  # type: ignore[arg-type]


def parts(table: Table) -> tuple[np.ndarray, np.ndarray]:
    assert table.own is not None
    assert table.identities is not None
    return table.own.detach().numpy(), table.identities.detach().numpy()


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_own_part_is_the_pretrained_vector_of_the_given_length(scale: float) -> None:
    own, _ = parts(started(vector_scale=scale))
    assert own.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(own[1:], axis=1), scale, rtol=1e-5)
    for word in (UNK, 2, 29):
        row = vectors().pretrained_VE[word]
        np.testing.assert_allclose(own[word], scale * row / np.linalg.norm(row), rtol=1e-4)


def test_centre_takes_off_the_mean_of_the_words_that_have_a_vector() -> None:
    own, _ = parts(started(centre=True))
    rows = vectors().pretrained_VE
    mean = rows[[2, *range(4, 30)]].mean(0)  # not of <pad>, <unk>, nor of word 3, which has none
    for word in (2, 29):
        moved = rows[word] - mean
        np.testing.assert_allclose(own[word], 0.5 * moved / np.linalg.norm(moved), rtol=1e-4)
    # A random direction is of no place, so nothing is taken off.
    np.testing.assert_array_equal(own[30:], parts(started(centre=False))[0][30:])
    # Less the mean, <unk> would be rounding errors: its direction is random too, not theirs.
    assert np.linalg.norm(own[UNK]) == pytest.approx(0.5)
    assert not np.allclose(own[UNK], parts(started(centre=False))[0][UNK])


def test_words_without_a_vector_have_random_directions_of_their_own() -> None:
    own, _ = parts(started())
    without = own[[OTHER, *range(30, 40)]] / 0.5
    cosines = without @ without.T
    np.testing.assert_allclose(np.diag(cosines), 1, rtol=1e-5)
    assert cosines[~np.eye(11, dtype=bool)].max() < 0.999


def test_random_directions_favour_none() -> None:
    many = start_table(tiny.word_vectors(words=5_000), tiny.MODEL, seed=1)
    own, identities = parts(many)
    assert np.abs(own[30:].mean(0)).max() < 0.02
    assert np.abs(identities.mean(0)).max() < 0.03
    np.testing.assert_allclose(identities[1:].var(), 1 / 6, rtol=0.05)


def test_words_of_one_identity_share_its_part_and_have_their_own() -> None:
    table = started()
    with torch.no_grad():
        found = table.look_up(torch.tensor([2, OTHER, 4]))
    assert found.shape == (3, table.width) == (3, 4 + 6)
    assert torch.equal(found[0, 4:], found[1, 4:])
    assert not torch.allclose(found[0, :4], found[1, :4])
    assert not torch.allclose(found[0, 4:], found[2, 4:])


def test_pad_and_identity_0_are_zeros() -> None:
    own, identities = parts(started(centre=True))
    assert not own[PAD].any()
    assert not identities[NO_IDENTITY].any()
    assert own[1:].any(1).all()
    assert identities[1:].any(1).all()


def test_same_seed_same_table_and_another_seed_another() -> None:
    first, again, other = started(seed=1), started(seed=1), started(seed=2)
    for one, two in zip(parts(first), parts(again), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(parts(first), parts(other), strict=True):
        assert not np.allclose(one, two)


def test_scale_0_leaves_the_own_part_out_and_no_random_dims_the_other() -> None:
    alone = started(vector_scale=0.0)
    assert (alone.own, alone.own_width, alone.width) == (None, 0, 6)
    assert alone.look_up(torch.tensor([4, 5])).shape == (2, 6)
    bare = started(random_dims=0)
    assert (bare.identities, bare.own_width, bare.width) == (None, 4, 4)
    assert torch.equal(bare.look_up(torch.tensor([4])), bare.look_up_own(torch.tensor([4])))


def test_idf_by_hand() -> None:
    idf = inverse_document_frequency(np.array([0, 250, 1, 10]), 100)
    assert idf.dtype == np.float32
    expected = [np.log(1 + 100.5 / 0.5), np.log(1 + 0.5 / 100.5), np.log(1 + 99.5 / 1.5)]
    np.testing.assert_allclose(idf, [*expected, np.log(1 + 90.5 / 10.5)], rtol=1e-6)


def test_base_weights_are_1_or_the_idf_of_each_identity() -> None:
    assert (started(token_weights="none").weight_I == 1).all()
    drawn = vectors()
    for name in ("idf", "learned"):
        weights = started(token_weights=name).weight_I.numpy()
        assert weights[NO_IDENTITY] == 0
        np.testing.assert_array_equal(weights[1:], inverse_document_frequency(drawn.df_I, 100)[1:])


# Five words: <pad>, <unk> and a stop word of no identity, two of one identity.
IDENTITY = np.array([0, 0, 0, 1, 1])
IDS = torch.tensor([3, 2, 0, 4, 3, 3, 1])
LENGTHS = torch.tensor([3, 4])
WEIGHTS = torch.tensor([0.5, 2.0, 3.0, 1.0, -1.0, 0.25, 4.0])


def small() -> Table:
    own = np.arange(10, dtype=np.float32).reshape(5, 2)
    own[0] = 0
    identities = np.array([[0, 0, 0], [1, -2, 3]], np.float32)
    return make_table(own, identities, IDENTITY, np.ones(2, np.float32))


def look_up(table: Table, weights: Tensor) -> Tensor:
    return table.look_up(IDS) * weights.unsqueeze(1)


def sums(table: Table, weights: Tensor) -> Tensor:
    return table.sums(IDS, LENGTHS, weights)


def test_sums_by_hand() -> None:
    # Words 1..4 are (2, 3), (4, 5), (6, 7), (8, 9).
    first = [0.5 * 6 + 2 * 4, 0.5 * 7 + 2 * 5, 0.5, -1.0, 1.5]
    second = [8 - 6 + 1.5 + 8, 9 - 7 + 1.75 + 12, 0.25, -0.5, 0.75]
    torch.testing.assert_close(sums(small(), WEIGHTS), torch.tensor([first, second]))


@pytest.mark.parametrize("read", [look_up, sums])
def test_sparse_gradients_equal_dense_ones(read: Callable[[Table, Tensor], Tensor]) -> None:
    table, weights = small(), WEIGHTS.clone().requires_grad_()
    ours = read(table, weights)
    pull = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2))
    (ours * pull).sum().backward()

    dense, dense_weights = small(), WEIGHTS.clone().requires_grad_()
    identity = torch.from_numpy(IDENTITY)[IDS]
    columns = [
        functional.embedding(ids, part, padding_idx=0)
        for part, ids in ((dense.own, IDS), (dense.identities, identity))
    ]
    words = torch.cat(columns, dim=1) * dense_weights.unsqueeze(1)
    if read is sums:
        words = torch.stack([each.sum(0) for each in words.split(LENGTHS.tolist())])
    torch.testing.assert_close(ours, words)
    (words * pull).sum().backward()

    torch.testing.assert_close(weights.grad, dense_weights.grad)
    for name in ("own", "identities"):
        found = getattr(table, name).grad
        assert found.is_sparse
        torch.testing.assert_close(found.to_dense(), getattr(dense, name).grad)


@pytest.mark.parametrize("read", [look_up, sums])
def test_gradients_have_one_row_a_word_used_and_none_for_row_0(
    read: Callable[[Table, Tensor], Tensor],
) -> None:
    table = small()
    read(table, WEIGHTS).sum().backward()
    assert table.own.grad._indices().tolist() == [[1, 2, 3, 4]]
    assert table.identities.grad._indices().tolist() == [[1]]


def test_a_frozen_table_reads_the_same_and_has_no_gradient() -> None:
    table, frozen = small(), small().requires_grad_(False)
    weights = WEIGHTS.clone().requires_grad_()
    found = sums(frozen, weights)
    torch.testing.assert_close(found, sums(table, WEIGHTS))
    found.sum().backward()
    assert frozen.own.grad is None
    assert weights.grad is not None
    with torch.no_grad():
        torch.testing.assert_close(look_up(table, WEIGHTS), look_up(frozen, WEIGHTS))
