"""Tiny towers and token stores for unit tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from twotower.artifacts import TokenStore, WordVectors
from twotower.config import Model, Train
from twotower.towers.model import TwoTowers, start

MODEL = Model(
    encoder="average",
    shared=True,
    vector_scale=0.5,
    random_dims=6,
    token_weights="learned",
    hidden=5,
    bidirectional=True,
    pooling="max",
)
TRAIN = Train(
    loss="margin",
    margin=0.3,
    temperature=0.05,
    epochs=2,
    batch_size=8,
    learning_rate=0.01,
    precision="float32",
    dev_pool=0,
    collapse_cosine=0.95,
)
WORDS = 40


def store(texts: Sequence[Sequence[int]]) -> TokenStore:
    """A token store of the given texts."""
    flat = [token for text in texts for token in text]
    offsets = np.cumsum([0, *(len(text) for text in texts)])
    return TokenStore(np.array(flat, np.int32), offsets)


def random_store(texts: int, seed: int, longest: int = 30) -> TokenStore:
    """Random texts of 1 to `longest` tokens."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest + 1, texts)
    return store([generator.integers(1, WORDS, length).tolist() for length in lengths])


def word_vectors(words: int = WORDS, known: int = 30, width: int = 4) -> WordVectors:
    """Random pretrained vectors for the first words."""
    generator = np.random.default_rng(7)
    pretrained = generator.standard_normal((known, width), dtype=np.float32)
    pretrained[0] = 0
    return WordVectors(pretrained, generator.integers(1, 90, words), passages=100)


def towers(seed: int = 3, **changes: object) -> TwoTowers:
    """Untrained towers, with changes to MODEL."""
    return start(dataclasses.replace(MODEL, **changes), word_vectors(), seed)  # type: ignore[arg-type]
