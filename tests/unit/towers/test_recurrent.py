"""Recurrent encoders against torch's own modules of several layers and directions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny
import torch
from moved_towers import moved
from torch import Tensor, nn
from torch.nn.utils import rnn

from twotower.config import RECURRENT, Model
from twotower.towers.encode import to_tensors
from twotower.towers.encoders import CELLS, Recurrent

CPU = torch.device("cpu")


def torch_cells(encoder: Recurrent, config: Model) -> nn.RNNBase:
    """Torch's own module of all layers and directions, with the encoder's weights."""
    reads = encoder.layers[0][0].input_size  # type: ignore[index]
    whole = CELLS[config.encoder](
        reads,
        config.hidden,
        num_layers=config.layers,
        bidirectional=config.bidirectional,
        batch_first=True,
        dtype=torch.float64,
    )
    with torch.no_grad():
        for name, weight, own in matched(encoder, whole):
            assert weight.shape == own.shape, name
            weight.copy_(own)
    return whole


def matched(encoder: Recurrent, whole: nn.RNNBase) -> list[tuple[str, Tensor, Tensor]]:
    """Give each weight's name and itself in torch's module, and in the encoder."""
    pairs = []
    for depth, layer in enumerate(encoder.layers):
        for suffix, cell in zip(("", "_reverse"), layer.children(), strict=False):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                name = f"{kind}_l{depth}{suffix}"
                pairs.append((name, getattr(whole, name), getattr(cell, f"{kind}_l0")))
    assert len(pairs) == len(list(whole.parameters()))
    return pairs


DEPTHS = [(layers, both) for layers in (1, 2) for both in (False, True)]


@pytest.mark.parametrize("reads", ["all", "pretrained"])
@pytest.mark.parametrize(("layers", "bidirectional"), DEPTHS)
@pytest.mark.parametrize("cell", RECURRENT)
def test_recurrent_equals_torch_reading_each_text_alone(
    cell: str, layers: int, bidirectional: bool, reads: str
) -> None:
    changes = {"encoder": cell, "layers": layers, "bidirectional": bidirectional, "reads": reads}
    towers = moved(tiny.towers(pooling="mean", anchor=0.0, **changes)).double()
    whole, texts = torch_cells(towers.query.encoder, towers.config), tiny.random_store(20, seed=4)
    look_up = towers.table.look_up if reads == "all" else towers.table.look_up_own
    with torch.no_grad():
        ours = towers.query(*to_tensors(texts, CPU))
        for row, ids_L in enumerate(np.split(texts.ids, texts.offsets[1:-1])):
            words_LE = look_up(torch.from_numpy(ids_L).long())
            states, _ = whole((words_LE * towers.query.encoder.scale).unsqueeze(0))
            torch.testing.assert_close(ours[row], states[0].mean(0))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Own part .5 long, identity part 1: 1.25 squared together, over 4 + 6 dimensions.
        ({}, math.sqrt(10 / 1.25)),
        ({"reads": "pretrained"}, math.sqrt(4) / 0.5),
        ({"random_dims": 0, "vector_scale": 3.0}, math.sqrt(4) / 3),
        ({"vector_scale": 0.0}, math.sqrt(6)),
    ],
)
def test_cells_read_words_of_about_1_a_dimension(
    changes: dict[str, object], expected: float
) -> None:
    encoder = tiny.towers(encoder="gru", **changes).query.encoder
    assert isinstance(encoder, Recurrent)
    assert encoder.scale == pytest.approx(expected)


@pytest.mark.parametrize("pooling", ["mean", "max", "last"])
@pytest.mark.parametrize(("layers", "bidirectional"), DEPTHS)
@pytest.mark.parametrize("cell", RECURRENT)
def test_recurrent_and_its_gradients_equal_torchs_packed_sequence(
    cell: str, layers: int, bidirectional: bool, pooling: str
) -> None:
    changes = {"encoder": cell, "layers": layers, "bidirectional": bidirectional}
    towers = moved(tiny.towers(pooling=pooling, anchor=0.0, **changes)).double()
    encoder = towers.query.encoder
    whole = torch_cells(encoder, towers.config)
    ids_T, lengths_B = to_tensors(tiny.random_store(20, seed=5), CPU)
    words_TE = towers.table.look_up(ids_T).detach() * encoder.scale
    words_TE.requires_grad_()
    texts = words_TE.split(lengths_B.tolist())
    states, _ = rnn.pad_packed_sequence(
        whole(rnn.pack_sequence(texts, enforce_sorted=False))[0], batch_first=True
    )
    own = [each[:length] for each, length in zip(states, lengths_B, strict=True)]
    ahead = tiny.MODEL.hidden  # the backward half has read all at the text's first token

    def last(states_LH: Tensor) -> Tensor:
        return torch.cat([states_LH[-1, :ahead], states_LH[0, ahead:]])

    pools = {"mean": lambda s: s.mean(0), "max": lambda s: s.amax(0), "last": last}
    theirs = torch.stack([pools[pooling](each) for each in own])
    ours = towers.query(ids_T, lengths_B)
    torch.testing.assert_close(ours, theirs)

    pull = torch.randn(ours.shape, generator=torch.Generator().manual_seed(3)).double()
    (ours * pull).sum().backward()
    (theirs * pull).sum().backward()
    for name, weight, own_weight in matched(encoder, whole):
        torch.testing.assert_close(own_weight.grad, weight.grad, msg=name)
    assert words_TE.grad is not None
    pulls_TE = words_TE.grad[:, : towers.table.own_width] * encoder.scale
    rows = torch.zeros_like(towers.table.own).index_add_(0, ids_T, pulls_TE)
    torch.testing.assert_close(towers.table.own.grad.to_dense(), rows)


def test_dropout_stands_between_layers_in_training_alone() -> None:
    texts = to_tensors(tiny.random_store(6, seed=8), CPU)
    for layers, changes in ((1, False), (2, True)):
        towers = tiny.towers(encoder="lstm", layers=layers, dropout=0.5)
        encoder: Recurrent = towers.query.encoder  # type: ignore[assignment]
        torch.manual_seed(0)
        with torch.no_grad():
            assert torch.equal(encoder(*texts), encoder(*texts)) is not changes
            encoder.eval()
            assert torch.equal(encoder(*texts), encoder(*texts))
