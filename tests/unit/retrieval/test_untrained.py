"""The untrained baselines against a slow mean of word vectors."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import tiny
import torch

from twotower.artifacts import WordVectors
from twotower.errors import ConfigError
from twotower.retrieval import untrained
from twotower.towers.model import start

# <pad>, <unk>, three words with a vector, one without.
PRETRAINED = np.array([[0, 0], [1, 1], [3, 0], [0, 2], [-1, 1]], np.float32)
VECTORS = WordVectors(
    PRETRAINED,
    df_W=np.array([0, 4, 1, 2, 9, 3]),
    identity_W=np.array([0, 0, 1, 0, 1, 2]),
    df_I=np.array([0, 9, 3]),
    mean_length=2.0,
    passages=9,
)
QUERIES = [[2], [3, 3, 4], [5, 2], [5]]
PASSAGES = [[2, 3], [4], [1, 4, 4, 2], [5, 5, 3]]
# The configured model must not matter, nor must identities.
CONFIG = dataclasses.replace(
    tiny.MODEL,
    encoder="lstm",
    query_encoder="gru",
    share="nothing",
    similarity="euclidean",
    random_dims=3,
    anchor=0.0,
    projection=2,
    layer_norm=True,
)


def idf(word: int) -> float:
    df = int(VECTORS.df_W[word])
    return math.log(1 + (VECTORS.passages - df + 0.5) / (df + 0.5))


def slow_vector(text: list[int], *, weighted: bool) -> np.ndarray:
    """The mean of a text's word vectors, of length 1; zeros for words without a vector."""
    total = np.zeros(2)
    for word in text:
        vector = PRETRAINED[word] if word < len(PRETRAINED) else np.zeros(2)
        total += vector * (idf(word) if weighted else 1)
    length = np.linalg.norm(total / len(text))
    return total / len(text) / (length if length > 0 else 1)


def search(system: str, depth: int) -> tuple[np.ndarray, np.ndarray]:
    return untrained.search(
        untrained.towers(system, CONFIG, VECTORS, seed=1),
        tiny.store(QUERIES),
        tiny.store(PASSAGES),
        depth,
        device=torch.device("cpu"),
        batch_tokens=6,
    )


@pytest.mark.parametrize(("system", "weighted"), [("mean", False), ("idf_mean", True)])
def test_scores_are_those_of_the_slow_mean(system: str, weighted: bool) -> None:
    queries = np.stack([slow_vector(text, weighted=weighted) for text in QUERIES])
    passages = np.stack([slow_vector(text, weighted=weighted) for text in PASSAGES])
    expected_QN = queries @ passages.T
    scores, rows = search(system, depth=10)
    assert np.sort(rows, axis=1).tolist() == [[0, 1, 2, 3]] * len(QUERIES)
    assert scores == pytest.approx(np.take_along_axis(expected_QN, rows, axis=1), abs=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_idf_changes_the_ranking_of_this_case() -> None:
    assert search("mean", 4)[1].tolist() != search("idf_mean", 4)[1].tolist()


def test_a_text_of_unknown_words_scores_zero() -> None:
    assert search("mean", 4)[0][3].tolist() == [0, 0, 0, 0]


def test_depth_cuts() -> None:
    scores, rows = search("mean", 2)
    assert scores.shape == rows.shape == (len(QUERIES), 2)
    assert scores.tolist() == search("mean", 4)[0][:, :2].tolist()


def test_start_is_the_configured_towers_before_their_first_step() -> None:
    queries, passages = tiny.random_store(5, seed=1), tiny.random_store(9, seed=2)
    config = dataclasses.replace(tiny.MODEL, similarity="dot", anchor=0.0, random_dims=3)
    expected = start(config, tiny.word_vectors(), seed=4).eval()
    built = untrained.towers("start", config, tiny.word_vectors(), seed=4)
    for width in (0, 5):
        scores, rows = untrained.search(
            built,
            queries,
            passages,
            9,
            device=torch.device("cpu"),
            batch_tokens=50,
            width=width,
        )
        encoded = [
            side(torch.from_numpy(texts.ids).long(), torch.from_numpy(texts.lengths), width)
            for side, texts in ((expected.queries, queries), (expected.passages, passages))
        ]
        assert encoded[0].shape == (5, width or 7)
        slow = expected.score(*encoded).detach().numpy()
        assert scores == pytest.approx(np.take_along_axis(slow, rows, axis=1), abs=1e-5)
        assert (np.diff(scores, axis=1) <= 0).all()
    with pytest.raises(ConfigError, match="8 is more than the towers' 7 numbers"):
        untrained.search(
            built, queries, passages, 9, device=torch.device("cpu"), batch_tokens=50, width=8
        )


def test_without_vectors_the_mean_is_of_seeded_random_ones() -> None:
    none = dataclasses.replace(VECTORS, pretrained_VE=np.zeros((2, 16), np.float32))

    def table(seed: int) -> np.ndarray:
        own = untrained.towers("mean", CONFIG, none, seed).table.own
        assert own is not None
        return own.detach().numpy()

    assert table(1).shape == (6, 16)
    assert not table(1)[0].any()
    assert table(1)[1:].any(axis=1).all()
    assert np.array_equal(table(1), table(1))
    assert not np.array_equal(table(1), table(2))


@pytest.mark.parametrize(("lost", "weighs"), [(0, False), (1, True)])
def test_unknown_words_count_only_if_passages_have_some(lost: int, weighs: bool) -> None:
    df = np.array([0, lost, 1, 2, 9, 3])
    vectors = dataclasses.replace(VECTORS, df_W=df)
    weights = untrained.towers("idf_mean", CONFIG, vectors, seed=1).table.weight_I.numpy()
    assert bool(weights[1]) is weighs
    assert weights[2] == pytest.approx(math.log(1 + (9 - 1 + 0.5) / (1 + 0.5)))
    assert (untrained.towers("mean", CONFIG, vectors, seed=1).table.weight_I == 1).all()
