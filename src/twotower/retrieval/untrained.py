"""Dense baselines that need no training: what the vectors know by themselves.

`mean` and `idf_mean` average the pretrained vectors alone, without any dimension or word of ours;
`start` is the configured towers before their first step.
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
from twotower.towers.table import inverse_document_frequency

SYSTEMS = ("mean", "idf_mean", "start")


def towers(system: str, config: Model, vectors: WordVectors, seed: int) -> TwoTowers:
    """Build one of SYSTEMS."""
    if system == "start":
        return start(config, vectors, seed)
    weights = "idf" if system == "idf_mean" else "none"
    plain = dataclasses.replace(config, encoder="average", token_weights=weights, shared=True)
    table = np.zeros((len(vectors.df_W), vectors.pretrained_VE.shape[1]), np.float32)
    table[: len(vectors.pretrained_VE)] = vectors.pretrained_VE
    table[PAD] = 0
    return TwoTowers(plain, table, inverse_document_frequency(vectors))


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
