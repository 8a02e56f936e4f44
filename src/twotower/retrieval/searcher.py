"""Searching with what the pipeline built: the same artefacts and functions as in evaluation.

    searcher = Searcher.load()
    searcher.search(["how tall is mount example"], k=5)[0]

Q queries, K retrieved.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from twotower.artifacts import MODEL, Corpus, TokenStore, read_corpus
from twotower.encoder import BATCH_TOKENS, TextEncoder
from twotower.errors import TwoTowerError
from twotower.files import fingerprint
from twotower.retrieval import index
from twotower.towers import model
from twotower.towers.encode import encode


@dataclass(frozen=True)
class Hit:
    """One retrieved passage."""

    rank: int
    score: float
    """by the towers' similarity: a cosine unless the model says otherwise"""
    pid: int
    text: str


def search_tokens(
    towers: model.TwoTowers,
    built: index.Index,
    queries: TokenStore,
    k: int,
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode queries and search the index: scores float32 (Q, K), passage rows int64 (Q, K)."""
    encoder = partial(towers.queries, width=built.width)
    vectors_QD = encode(encoder, queries, built.width, device, batch_tokens=BATCH_TOKENS)
    return built.search(vectors_QD, k)


class Searcher:
    """Answers texts with passages; built once, used many times."""

    def __init__(self, corpus: Corpus, encoder: TextEncoder, built: index.Index) -> None:
        """Use `Searcher.load` to read the pipeline's artefacts."""
        self._passages, self._encoder, self._index = corpus.passages, encoder, built
        self.smoke: bool = corpus.counts["smoke"]

    @classmethod
    def load(cls) -> Searcher:
        """Read every artefact from the repository's root.

        Raises DataError if one is missing, or if they are not of one run.
        """
        corpus, encoder = read_corpus(), TextEncoder.load()
        return cls(corpus, encoder, index.load(fingerprint(MODEL), len(corpus.passages)))

    @property
    def pool(self) -> int:
        """Passages that are searched."""
        return len(self._passages)

    def search(self, texts: list[str], k: int = 10) -> list[list[Hit]]:
        """Give the k best passages of each text, best first."""
        if k < 1:
            raise TwoTowerError(f"k is {k}; ask for at least one passage")
        queries_QD = self._encoder.encode_queries(texts, width=self._index.width)
        scores_QK, rows_QK = self._index.search(queries_QD, k)
        return [self._hits(*found) for found in zip(scores_QK, rows_QK, strict=True)]

    def _hits(self, scores_K: np.ndarray, rows_K: np.ndarray) -> list[Hit]:
        found = self._passages[rows_K.tolist()]
        return [
            Hit(rank, round(float(score), 6), pid, text)
            for rank, (score, (pid, text)) in enumerate(
                zip(scores_K, found.iter_rows(), strict=True), 1
            )
        ]
