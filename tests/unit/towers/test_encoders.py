"""Encoders: invariant 1 for any towers, the average by hand, the residual beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from random import Random

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from moved_towers import moved
from torch import Tensor

from twotower.config import RECURRENT, Model
from twotower.contradictions import _tower_contradictions
from twotower.towers.encode import to_tensors
from twotower.towers.encoders import ENCODERS, Average, Residual
from twotower.towers.model import Side, start

CPU = torch.device("cpu")
VECTOR_WIDTH = 4
"""Of tiny.word_vectors."""
Texts = Sequence[Sequence[int]]

OPTIONS: dict[str, tuple[object, ...]] = {
    "encoder": ENCODERS,
    "query_encoder": ("same", *ENCODERS),
    "share": ("towers", "table", "nothing"),
    "similarity": ("cosine", "cosine", "dot", "euclidean"),
    "vector_scale": (0.0, 0.5, 3.0),
    "centre": (False, True),
    "random_dims": (0, 6),
    "token_weights": ("none", "idf", "learned"),
    "weights_per_side": (False, True),
    "saturation": (0.0, 0.9),
    "length_norm": (0.0, 0.4, 1.0),
    "lead": (0.0, 2.0),
    "lead_tokens": (1.0, 20.0),
    "anchor": (0.0, 2.0, 2.0),
    "hidden": (3, 5),
    "layers": (1, 2, 3),
    "bidirectional": (False, True),
    "pooling": ("mean", "max", "last", "attention"),
    "reads": ("all", "pretrained"),
    "residual": (False, True),
    "projection": (0, 0, 4),
    "layer_norm": (False, False, True),
    "dropout": (0.0,),
}
"""Some values stand here twice, because an anchor needs them and would be drawn seldom."""


def legal(config: Model) -> bool:
    return not list(_tower_contradictions(config, VECTOR_WIDTH))


CONFIGS = st.builds(
    Model, **{name: st.sampled_from(values) for name, values in OPTIONS.items()}
).filter(legal)
TEXTS = st.lists(
    st.lists(st.integers(1, tiny.WORDS - 1), min_size=1, max_size=15), min_size=1, max_size=6
)


def encoded(side: Side, texts: Texts) -> Tensor:
    with torch.no_grad():
        return side(*to_tensors(tiny.store(texts), CPU))


def assert_same(found_BD: Tensor, expected_BD: Tensor) -> None:
    """Equal to 1e-5 of each vector's length."""
    length_B = expected_BD.norm(dim=1)
    assert found_BD.shape == expected_BD.shape
    assert ((found_BD - expected_BD).norm(dim=1) <= 1e-5 * length_B).all()


@settings(max_examples=100)
@given(CONFIGS, TEXTS, st.randoms(use_true_random=False))
def test_neither_padding_nor_order_nor_company_changes_a_vector(
    config: Model, texts: list[list[int]], shuffler: Random
) -> None:
    towers = moved(start(config, tiny.word_vectors(), seed=1))
    order = list(range(len(texts)))
    shuffler.shuffle(order)
    long = [1 + i % 39 for i in range(70)]
    for side in (towers.queries, towers.passages):
        alone = torch.cat([encoded(side, [text]) for text in texts])
        assert alone.isfinite().all()
        assert_same(encoded(side, texts), alone)
        assert_same(encoded(side, [texts[row] for row in order]), alone[order])
        # Enough long ones that some must share a group, and so padding, with each text.
        beside = encoded(side, [long, *texts, *[long] * 12])
        assert_same(beside[1 : 1 + len(texts)], alone)


SETTINGS: list[dict[str, object]] = [
    *({"encoder": "average", "token_weights": weights} for weights in ("none", "idf", "learned")),
    *({"encoder": cell, "layers": layers} for cell in RECURRENT for layers in (1, 2)),
    {"encoder": "gru", "residual": True},
    {"encoder": "lstm", "projection": 3, "layer_norm": True, "anchor": 0.0},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_different_texts_have_different_vectors(changes: dict[str, object]) -> None:
    towers = moved(tiny.towers(**changes))
    for side in (towers.queries, towers.passages):
        both = encoded(side, [[5, 9, 12], [5, 9, 13]])
        assert not torch.allclose(both[0], both[1], atol=1e-4)


@pytest.mark.parametrize("cell", RECURRENT)
def test_recurrent_towers_read_the_order_of_words_and_averages_do_not(cell: str) -> None:
    texts = [[5, 9, 12], [12, 9, 5]]
    read = encoded(moved(tiny.towers(encoder=cell)).queries, texts)
    assert not torch.allclose(read[0], read[1], atol=1e-4)
    average = encoded(moved(tiny.towers()).queries, texts)
    torch.testing.assert_close(average[0], average[1])


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
def test_average_is_the_weighted_sum_and_a_mean_where_length_matters(similarity: str) -> None:
    towers = tiny.towers(token_weights="idf", similarity=similarity, **tiny.PLAIN)
    assert isinstance(towers.query.encoder, Average)
    table = towers.table
    with torch.no_grad():
        words, idf = table.look_up(torch.arange(tiny.WORDS)), table.weight_I[table.identity_W]
        found = towers.query(torch.tensor([4, 4, 9, 7]), torch.tensor([3, 1]))
        tokens = 1.0 if similarity == "cosine" else 3.0
        first = (2 * idf[4] * words[4] + idf[9] * words[9]) / tokens
        torch.testing.assert_close(found, torch.stack([first, idf[7] * words[7]]))


@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
@pytest.mark.parametrize("cell", RECURRENT)
def test_residual_starts_exactly_as_the_average(cell: str, similarity: str) -> None:
    anchor = 2.0 if similarity == "cosine" else 0.0
    changes = {"similarity": similarity, "anchor": anchor}
    residual = tiny.towers(encoder=cell, residual=True, layers=2, **changes)
    average, texts = tiny.towers(**changes), to_tensors(tiny.random_store(9, seed=6), CPU)
    with torch.no_grad():
        assert torch.equal(residual.queries(*texts), average.queries(*texts))
        assert torch.equal(residual.passages(*texts), average.passages(*texts))


def test_residual_adds_its_change_in_lengths_of_the_average() -> None:
    towers = moved(tiny.towers(encoder="gru", residual=True, **tiny.PLAIN))
    residual, texts = towers.query.encoder, to_tensors(tiny.random_store(9, seed=7), CPU)
    assert isinstance(residual, Residual)
    with torch.no_grad():
        average = residual.average(*texts, towers.query.weigh)
        change = residual.change(*texts) @ residual.output.weight.T
        expected = average + change * average.norm(dim=1, keepdim=True)
        torch.testing.assert_close(towers.query(*texts), expected)
        assert not torch.allclose(expected, average, rtol=0.1)


def test_the_drawn_configurations_cover_every_key_and_are_legal_as_the_config_says() -> None:
    assert set(OPTIONS) == {field.name for field in dataclasses.fields(Model)}
    assert legal(tiny.MODEL)
    assert not legal(dataclasses.replace(tiny.MODEL, query_encoder="gru"))
