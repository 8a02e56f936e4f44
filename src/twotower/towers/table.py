"""The table of word vectors: a word's own part, and the part of its identity.

A word's vector is [own part, identity part]: its pretrained vector, or a random direction where it
has none, and random dimensions that all words of one identity share. Pretrained vectors blur rare
words; the random dimensions tell each identity from every other, which makes an average of words a
compressed bag of words.

W words, I identities, U different ones of a batch, E width of the own part, R of the identity part,
T tokens, B texts.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from twotower.artifacts import PAD, UNK, WordVectors
from twotower.config import Model

NO_IDENTITY = 0


class Table(nn.Module):
    """Both parts. Their gradients are sparse: rows for the words that a step read, no others."""

    identity_W: Tensor
    weight_I: Tensor

    def __init__(
        self, own_WE: Tensor, identities_IR: Tensor, identity_W: Tensor, weight_I: Tensor
    ) -> None:
        """Take the parts as they are; a part of width 0 is left out.

        weight_I: how much an identity counts in a text before anything is learned.
        """
        super().__init__()
        self.own = nn.Parameter(own_WE) if own_WE.shape[1] else None
        self.identities = nn.Parameter(identities_IR) if identities_IR.shape[1] else None
        self.register_buffer("identity_W", identity_W)
        self.register_buffer("weight_I", weight_I)
        self.own_width = own_WE.shape[1]
        self.width = own_WE.shape[1] + identities_IR.shape[1]

    def look_up(self, ids_T: Tensor) -> Tensor:
        """Give each token's vector: (T, E + R)."""
        return torch.cat([_rows(part, ids) for part, ids in self._parts(ids_T)], dim=1)

    def look_up_own(self, ids_T: Tensor) -> Tensor:
        """Give the own part of each token's vector: (T, E)."""
        return torch.cat([_rows(part, ids) for part, ids in self._parts(ids_T)[:1]], dim=1)

    def sums(self, ids_T: Tensor, lengths_B: Tensor, weights_T: Tensor) -> Tensor:
        """Give the weighted sum of each text's token vectors: (B, E + R)."""
        starts_B = lengths_B.cumsum(0) - lengths_B
        summed = []
        for part, part_ids_T in self._parts(ids_T):
            rows, ids = _gathered(part, part_ids_T)
            bags = functional.embedding_bag(
                ids, rows, starts_B, mode="sum", per_sample_weights=weights_T
            )
            summed.append(bags)
        return torch.cat(summed, dim=1)

    def _parts(self, ids_T: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Give the parts that there are, each with its row of every token."""
        parts = ((self.own, ids_T), (self.identities, self.identity_W[ids_T]))
        return [(part, ids) for part, ids in parts if part is not None]


def _gathered(part: Tensor, ids_T: Tensor) -> tuple[Tensor, Tensor]:
    """Give rows and ids in them. Where a gradient is wanted, the rows are only those that are used.

    So the gradient is (U, width), whatever the size of the table, and one row a word, however often
    the batch has it.
    """
    if not (part.requires_grad and torch.is_grad_enabled()):
        return part, ids_T
    used_U, local_T = ids_T.unique(return_inverse=True)
    # Row 0 of either part is nothing, and stays so: <pad>, and what has no identity.
    return functional.embedding(used_U, part, padding_idx=0, sparse=True), local_T


def _rows(part: Tensor, ids_T: Tensor) -> Tensor:
    rows, ids = _gathered(part, ids_T)
    return functional.embedding(ids, rows)


def start_table(vectors: WordVectors, config: Model, seed: int) -> Table:
    """Build the table that untrained towers have: same vectors and seed, same table.

    Own part: the pretrained vector, less the mean of all if `centre`, of length `vector_scale`; a
    word without one, or with one of zeros, gets a random direction of that length. Identity part:
    normal with variance 1/R, so about 1 long. `<pad>` and identity 0 are zeros.
    """
    generator = np.random.default_rng(seed)
    own_WE = pretrained_part(vectors, generator, centre=config.centre)
    own_WE *= config.vector_scale / np.maximum(np.linalg.norm(own_WE, axis=1, keepdims=True), 1e-12)
    own_WE[PAD] = 0
    if not config.vector_scale:
        own_WE = own_WE[:, :0]
    shape = (len(vectors.df_I), config.random_dims)
    identities_IR = generator.standard_normal(shape, dtype=np.float32)
    identities_IR /= np.sqrt(max(config.random_dims, 1), dtype=np.float32)
    identities_IR[NO_IDENTITY] = 0
    return make_table(own_WE, identities_IR, vectors.identity_W, base_weights(config, vectors))


def pretrained_part(
    vectors: WordVectors, generator: np.random.Generator, *, centre: bool
) -> np.ndarray:
    """Give float32 (W, E): the pretrained vectors, random ones of length 1 where there is none."""
    width = vectors.pretrained_VE.shape[1]
    own_WE = generator.standard_normal((len(vectors.df_W), width), dtype=np.float32)
    known = np.flatnonzero(vectors.pretrained_VE.any(axis=1))
    words = known[known > UNK]
    mean = vectors.pretrained_VE[words].mean(axis=0) if centre and len(words) else np.float32(0)
    known = words if centre else known  # <unk> is that mean: less it, rounding errors alone
    own_WE[known] = vectors.pretrained_VE[known] - mean
    return own_WE


def make_table(
    own_WE: np.ndarray, identities_IR: np.ndarray, identity_W: np.ndarray, weight_I: np.ndarray
) -> Table:
    """Build a table of arrays: float32, the identities int64."""
    return Table(*map(torch.from_numpy, (own_WE, identities_IR, identity_W, weight_I)))


def base_weights(config: Model, vectors: WordVectors) -> np.ndarray:
    """Give float32 (I,): 1, or the idf; identity 0 has no idf, since it can match nothing."""
    if config.token_weights == "none":
        return np.ones(len(vectors.df_I), np.float32)
    idf_I = inverse_document_frequency(vectors.df_I, vectors.passages)
    idf_I[NO_IDENTITY] = 0
    return idf_I


def inverse_document_frequency(df: np.ndarray, passages: int) -> np.ndarray:
    """Give float32 idf = ln(1 + (N - df + .5) / (df + .5)), as Lucene's BM25 has it."""
    capped = np.minimum(df, passages).astype(np.float64)
    return np.log1p((passages - capped + 0.5) / (capped + 0.5)).astype(np.float32)
