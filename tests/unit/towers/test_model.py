"""The pair of towers: what they share, how they start, and how wide they are."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import tiny
import torch
from moved_towers import TEXTS, encoded, moved

from twotower.artifacts import WordVectors
from twotower.errors import ConfigError
from twotower.towers import model
from twotower.towers.encoders import Average, Recurrent, Residual
from twotower.towers.model import TwoTowers
from twotower.towers.tower import Head

CELL = tuple(f"{kind}_{side}_l0" for kind in ("weight", "bias") for side in ("ih", "hh"))


def names(**changes: object) -> set[str]:
    return {name for name, _ in tiny.towers(**changes).named_parameters()}


TABLE = {"table.own", "table.identities"}
GAINS = {"passage.weigh.gains", "query.weigh.gains"}


def cells(side: str) -> set[str]:
    directions = [f"{side}.encoder.layers.0.{direction}" for direction in (0, 1)]
    return {f"{direction}.{weight}" for direction in directions for weight in CELL}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, TABLE | GAINS),
        ({"weights_per_side": False}, TABLE | {"passage.weigh.gains"}),
        ({"share": "table"}, TABLE | GAINS),
        ({"share": "table", "weights_per_side": False}, TABLE | {"passage.weigh.gains"}),
        (
            {"share": "nothing", "weights_per_side": False},
            TABLE | GAINS | {"query.encoder.table.own", "query.encoder.table.identities"},
        ),
        ({"encoder": "gru", "token_weights": "idf"}, TABLE | cells("passage")),
        (
            {"encoder": "gru", "token_weights": "idf", "share": "table"},
            TABLE | cells("passage") | cells("query"),
        ),
        (
            {"share": "table", "token_weights": "none", "random_dims": 0, "projection": 3},
            {"table.own"}
            | {
                f"{side}.head.projection.{kind}"
                for side in ("passage", "query")
                for kind in ("weight", "bias")
            },
        ),
        ({"vector_scale": 0.0, "token_weights": "none"}, {"table.identities"}),
    ],
)
def test_each_weight_has_one_name(changes: dict[str, object], expected: set[str]) -> None:
    assert names(**changes) == expected


@pytest.mark.parametrize("changes", [{}, {"encoder": "lstm"}, {"encoder": "gru", "residual": True}])
def test_sharing_is_being_the_same_object(changes: dict[str, object]) -> None:
    shared, table, nothing = (
        tiny.towers(share=share, **changes) for share in ("towers", "table", "nothing")
    )
    for towers in (shared, table, nothing):
        assert (towers.query.encoder is towers.passage.encoder) == (towers is shared)
        assert (towers.query.head is towers.passage.head) == (towers is shared)
        assert towers.passage.weigh.table is towers.table
        assert (towers.query.weigh.table is towers.table) == (towers is not nothing)
        tables = {id(each) for each in towers.query.modules() if type(each) is type(towers.table)}
        assert tables == {id(towers.query.weigh.table)}, "one table a tower"


@pytest.mark.parametrize("share", ["table", "nothing"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"encoder": "lstm", "projection": 3, "layer_norm": True}, {"encoder": "gru"}],
)
def test_separate_towers_start_equal_and_part(changes: dict[str, object], share: str) -> None:
    towers = tiny.towers(share=share, **{**tiny.PLAIN, **changes})
    assert torch.equal(*encoded(towers))
    changed = {"share": share, "weights_per_side": True}
    parted = moved(tiny.towers(**{**tiny.PLAIN, **changes, **changed}))
    assert not torch.allclose(*encoded(parted), atol=1e-3)


def test_a_query_encoder_of_its_own() -> None:
    changes = {"share": "table", "query_encoder": "average", "encoder": "gru"}
    towers = tiny.towers(residual=True, **changes)
    assert isinstance(towers.query.encoder, Average)
    assert isinstance(towers.passage.encoder, Residual)
    assert towers.query.encoder.table is towers.passage.encoder.average.table is towers.table
    projected = tiny.towers(projection=3, anchor=0.0, **{**changes, "share": "nothing"})
    assert isinstance(projected.passage.encoder, Recurrent)
    assert projected.query.encoder.table is not projected.table
    assert [vectors.shape for vectors in encoded(projected)] == [(7, 3)] * 2
    same = tiny.towers(share="towers", query_encoder="average")
    assert same.query.encoder is same.passage.encoder


def test_the_seed_decides_the_start_and_the_global_generator_does_not() -> None:
    torch.manual_seed(1)
    first, *_ = encoded(tiny.towers(seed=3, encoder="lstm"))
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    assert torch.equal(encoded(tiny.towers(seed=3, encoder="lstm"))[0], first)
    assert torch.equal(torch.rand(1), expected), "the caller's generator is left where it was"
    assert not torch.allclose(encoded(tiny.towers(seed=4, encoder="lstm"))[0], first)


def pivoted() -> TwoTowers:
    """Words 2 and 3 are (1, 0) and (0, 1); a mean passage is 1.5 long, and the anchor twice that.

    Identity 1 is in every passage, 2 in half of them and 3 in 3/4: the root of 2.25.
    """
    vectors = WordVectors(
        np.array([[0, 0], [-1, 0], [1, 0], [0, 1]], np.float32),
        df_W=np.array([0, 0, 50, 75]),
        identity_W=np.array([0, 1, 2, 3]),
        df_I=np.array([0, 100, 50, 75]),
        mean_length=2.25,
        passages=100,
    )
    changes = {"token_weights": "none", "random_dims": 0, "vector_scale": 1.0, "anchor": 2.0}
    return model.start(dataclasses.replace(tiny.MODEL, **{**tiny.PLAIN, **changes}), vectors, 1)  # type: ignore[arg-type]


def test_the_anchor_is_a_fixed_dimension_of_passages_and_0_in_queries() -> None:
    towers = pivoted()
    assert towers.facts == model.Facts(mean_length=2.25, mean_norm=pytest.approx(1.5))
    ids, lengths = torch.tensor([2, 2, 2, 2, 3, 2]), torch.tensor([4, 2])
    with torch.no_grad():
        torch.testing.assert_close(
            towers.passage(ids, lengths), torch.tensor([[3.0, 4, 0], [3, 1, 1]])
        )
        assert towers.query(ids, lengths).tolist() == [[0, 4, 0], [0, 1, 1]]


def test_the_cosine_then_has_a_pivoted_length_by_hand() -> None:
    towers = pivoted()
    with torch.no_grad():
        queries = towers.queries(torch.tensor([2, 2, 3]), torch.tensor([1, 2]))
        passages = towers.passages(torch.tensor([2, 2, 2, 2, 3, 2]), torch.tensor([4, 2]))
        found = towers.score(queries, passages)
    # 4 / root(3^2 + 4^2) and 1 / root(3^2 + 1 + 1); query (1, 1) / root 2 likewise.
    rows = [[4 / 5, 1 / math.sqrt(11)], [4 / 5 / math.sqrt(2), 2 / math.sqrt(22)]]
    torch.testing.assert_close(found, torch.tensor(rows))


def test_the_head_normalises_and_then_projects() -> None:
    head = Head(dataclasses.replace(tiny.MODEL, layer_norm=True, projection=1), 2)
    with torch.no_grad():
        head.projection.weight.copy_(torch.tensor([[2.0, 1.0]]))
        head.projection.bias.fill_(0.5)
        # (10, 30) becomes (-1, 1), so 2 x -1 + 1 + .5.
        found = head(torch.tensor([[10.0, 30.0]]))
    torch.testing.assert_close(found, torch.tensor([[-0.5]]), rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("changes", "width"),
    [
        ({}, 4 + 6 + 1),
        ({"anchor": 0.0}, 4 + 6),
        ({"encoder": "gru"}, 2 * 5),  # no average, no anchor
        ({"encoder": "gru", "bidirectional": False}, 5),
        ({"encoder": "gru", "residual": True}, 4 + 6 + 1),
        ({"anchor": 0.0, "projection": 3}, 3),
    ],
)
def test_width_counts_the_anchor_where_there_is_one(changes: dict[str, object], width: int) -> None:
    towers = tiny.towers(**changes)
    assert towers.width == towers.query.width == width
    assert [vectors.shape for vectors in encoded(towers)] == [(7, width)] * 2


def test_cut_width() -> None:
    towers = tiny.towers()
    assert [towers.cut_width(width) for width in (0, 5, 11)] == [11, 5, 11]
    with pytest.raises(ConfigError, match=r"embed\.width: 12 is more than the towers' 11"):
        towers.cut_width(12)
    with torch.no_grad():
        cut, whole = towers.passages(*TEXTS, width=5), towers.passage(*TEXTS)
    expected = whole[:, :5] / whole[:, :5].norm(dim=1, keepdim=True)
    torch.testing.assert_close(cut, expected)
