"""Dense baselines that need no training: what the vectors know by themselves.

`mean` and `idf_mean` average the pretrained vectors alone, without any dimension or word of ours
(or random vectors of that width, where there are no others); `start` is the configured towers
before their first step.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from twotower.artifacts import PAD, TokenStore, WordVectors
from twotower.config import Model
from twotower.retrieval import exact
from twotower.towers.encode import encode
from twotower.towers.model import TwoTowers, start
from twotower.towers.table import initial_table, inverse_document_frequency

SYSTEMS = ("mean", "idf_mean", "start")


def towers(system: str, config: Model, vectors: WordVectors, seed: int) -> TwoTowers:
    """Build one of SYSTEMS."""
    if system == "start":
        return start(config, vectors, seed)
    weights = "idf" if system == "idf_mean" else "none"
    plain = dataclasses.replace(config, encoder="average", token_weights=weights, shared=True)
    return TwoTowers(plain, _table(vectors, seed), inverse_document_frequency(vectors))


def _table(vectors: WordVectors, seed: int) -> np.ndarray:
    if not vectors.pretrained_VE.any():
        return initial_table(vectors, scale=1.0, random_dims=0, seed=seed)
    table = np.zeros((len(vectors.df_W), vectors.pretrained_VE.shape[1]), np.float32)
    table[: len(vectors.pretrained_VE)] = vectors.pretrained_VE
    table[PAD] = 0
    return table


def search(
    built: TwoTowers,
    queries: TokenStore,
    passages: TokenStore,
    depth: int,
    *,
    device: torch.device,
    batch_tokens: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Give scores (Q, K) and passage rows (Q, K) of towers over whole token stores."""
    built = built.to(device).eval()
    vectors = [
        encode(encoder, store, built.width, device, batch_tokens=batch_tokens)
        for encoder, store in ((built.queries, queries), (built.passages, passages))
    ]
    return exact.search(vectors[0], vectors[1], depth)
