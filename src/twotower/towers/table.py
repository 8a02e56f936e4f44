"""What the towers start from: the table of word vectors and the token weights.

W words, V words with a pretrained vector (the first ids), E pretrained width, R random dimensions.
"""

from __future__ import annotations

import numpy as np

from twotower.artifacts import PAD, UNK, WordVectors


def initial_table(vectors: WordVectors, scale: float, random_dims: int, seed: int) -> np.ndarray:
    """Give the float32 (W, E + R) table: [unit pretrained vector x scale, random dimensions].

    Words without a pretrained vector, or with one of zeros, get a random direction of the same
    length instead; so does `<unk>` where there are no vectors to take the mean of. Random
    dimensions are normal with variance 1/R, so that part of a vector is about 1 long: it gives each
    word an identity, which pretrained vectors blur for rare words. `<unk>` has their mean, zeros;
    `<pad>` is zeros.
    """
    generator = np.random.default_rng(seed)
    words, width = len(vectors.df_W), vectors.pretrained_VE.shape[1]
    pretrained = generator.standard_normal((words, width), dtype=np.float32)
    known = np.flatnonzero(vectors.pretrained_VE.any(axis=1))
    pretrained[known] = vectors.pretrained_VE[known]
    pretrained *= scale / np.maximum(np.linalg.norm(pretrained, axis=1, keepdims=True), 1e-12)
    identity = generator.standard_normal((words, random_dims), dtype=np.float32)
    identity /= np.sqrt(max(random_dims, 1), dtype=np.float32)
    identity[1] = 0  # the mean of many random directions
    table: np.ndarray = np.concatenate([pretrained, identity], axis=1)
    table[PAD] = 0
    return table


def inverse_document_frequency(vectors: WordVectors) -> np.ndarray:
    """Give float32 (W,) idf = ln(1 + (N - df + .5) / (df + .5)), as Lucene's BM25 has it."""
    df = np.minimum(vectors.df_W, vectors.passages).astype(np.float64)
    idf = np.log1p((vectors.passages - df + 0.5) / (df + 0.5))
    idf[PAD] = 0
    if vectors.df_W[UNK] == 0:
        idf[UNK] = 0  # no passage lost a word: in a query it can match nothing
    return idf.astype(np.float32)
