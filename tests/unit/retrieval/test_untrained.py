"""The untrained baselines against a slow mean of word vectors."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import tiny
import torch

from twotower.artifacts import WordVectors
from twotower.retrieval import untrained

# <pad>, <unk>, three words with a vector, one without.
PRETRAINED = np.array([[0, 0], [1, 1], [3, 0], [0, 2], [-1, 1]], np.float32)
VECTORS = WordVectors(PRETRAINED, np.array([0, 4, 1, 2, 9, 3]), passages=9)
QUERIES = [[2], [3, 3, 4], [5, 2], [5]]
PASSAGES = [[2, 3], [4], [1, 4, 4, 2], [5, 5, 3]]
# The configured encoder must not matter.
CONFIG = dataclasses.replace(tiny.MODEL, encoder="lstm", shared=False, random_dims=3)


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
