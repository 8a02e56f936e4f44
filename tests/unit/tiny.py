"""Tiny towers and token stores for unit tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from twotower.artifacts import TokenStore, WordVectors
from twotower.config import Model, Negatives, Train
from twotower.towers.model import TwoTowers, start

MODEL = Model(
    encoder="average",
    query_encoder="same",
    share="towers",
    similarity="cosine",
    vector_scale=0.5,
    centre=False,
    random_dims=6,
    token_weights="learned",
    weights_per_side=True,
    saturation=0.9,
    length_norm=0.4,
    lead=2.0,
    lead_tokens=5.0,
    anchor=1.0,
    hidden=5,
    layers=1,
    bidirectional=True,
    pooling="max",
    reads="all",
    residual=False,
    projection=0,
    layer_norm=False,
    dropout=0.0,
)
PLAIN: dict[str, Any] = {
    "saturation": 0.0,
    "lead": 0.0,
    "anchor": 0.0,
    "weights_per_side": False,
}
"""Changes to MODEL under which both sides encode a text alike."""
TRAIN = Train(
    loss="triplet",
    hardness="all",
    margin=0.3,
    temperature=0.05,
    both_directions=False,
    halvings=0,
    epochs=2,
    batch_size=8,
    chunk_size=0,
    optimiser="adam",
    weight_decay=0.0,
    learning_rate=0.01,
    table_learning_rate=0.01,
    identities_learning_rate=0.01,
    weights_learning_rate=0.01,
    warmup=0.0,
    decay="none",
    clip_norm=0.0,
    table_from_epoch=1,
    precision="float32",
    dev_pool=0,
    patience=0,
    collapse_cosine=0.95,
)
NEGATIVES = Negatives(
    random=0,
    unselected=0,
    bm25=0,
    own=0,
    refresh_epochs=1,
    first_rank=1,
    last_rank=10,
    max_score=0.0,
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
    """Random pretrained vectors for the first words; every third word is the same as the next."""
    generator = np.random.default_rng(7)
    pretrained = generator.standard_normal((known, width), dtype=np.float32)
    pretrained[0] = 0
    identity = np.arange(words) - np.arange(words) // 3
    identity[:2] = 0
    return WordVectors(
        pretrained,
        df_W=generator.integers(1, 90, words),
        identity_W=identity,
        df_I=generator.integers(1, 90, identity.max() + 1),
        mean_length=12.0,
        passages=100,
    )


def towers(seed: int = 3, **changes: object) -> TwoTowers:
    """Untrained towers, with changes to MODEL."""
    return start(dataclasses.replace(MODEL, **changes), word_vectors(), seed)  # type: ignore[arg-type]
