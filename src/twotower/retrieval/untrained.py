"""Dense baselines that need no training: what the vectors know by themselves.

`mean` and `idf_mean` average the pretrained vectors alone, without any dimension or word of ours
(or random vectors of that width, where there are no others); `start` is the configured towers
before their first step.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import torch

from twotower.artifacts import PAD, UNK, TokenStore, WordVectors
from twotower.config import Model
from twotower.retrieval import exact
from twotower.towers.encode import encode
from twotower.towers.model import Facts, TwoTowers, start
from twotower.towers.table import (
    Table,
    inverse_document_frequency,
    make_table,
    pretrained_part,
)

SYSTEMS = ("mean", "idf_mean", "start")


def towers(system: str, config: Model, vectors: WordVectors, seed: int) -> TwoTowers:
    """Build one of SYSTEMS."""
    if system == "start":
        return start(config, vectors, seed)
    weights = "idf" if system == "idf_mean" else "none"
    plain = dataclasses.replace(config, **PLAIN, token_weights=weights)
    return TwoTowers(plain, _table(vectors, seed, idf=weights == "idf"), Facts(1.0, 1.0))


PLAIN: dict[str, Any] = {
    "encoder": "average",
    "query_encoder": "same",
    "share": "towers",
    "similarity": "cosine",
    "random_dims": 0,
    "saturation": 0.0,
    "lead": 0.0,
    "anchor": 0.0,
    "projection": 0,
    "layer_norm": False,
}
"""The model's parameters without anything of ours."""


def _table(vectors: WordVectors, seed: int, *, idf: bool) -> Table:
    """Give the pretrained vectors as they are; every word is an identity, and `<pad>` is none."""
    words = len(vectors.df_W)
    own = np.zeros((words, vectors.pretrained_VE.shape[1]), np.float32)
    own[: len(vectors.pretrained_VE)] = vectors.pretrained_VE
    if not own.any():
        own = pretrained_part(vectors, np.random.default_rng(seed), centre=False)
    own[PAD] = 0
    weights = np.ones(words, np.float32)
    if idf:
        weights = inverse_document_frequency(vectors.df_W, vectors.passages)
        weights[UNK] *= vectors.df_W[UNK] > 0  # what no passage lost can match nothing
    return make_table(own, np.zeros((words, 0), np.float32), np.arange(words), weights)


def search(
    built: TwoTowers,
    queries: TokenStore,
    passages: TokenStore,
    depth: int,
    *,
    device: torch.device,
    batch_tokens: int,
    width: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Give scores (Q, K) and passage rows (Q, K) of towers over whole token stores.

    width: numbers of each vector that are kept; 0: all.
    """
    built, width = built.to(device).eval(), built.cut_width(width)
    vectors = [
        encode(partial(encoder, width=width), store, width, device, batch_tokens=batch_tokens)
        for encoder, store in ((built.queries, queries), (built.passages, passages))
    ]
    return exact.search(vectors[0], vectors[1], depth, built.config.similarity)
