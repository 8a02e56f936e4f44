"""Searching with what the pipeline built: the same artefacts and functions as in evaluation.

    searcher = Searcher.load()
    searcher.search(["how tall is mount example"], k=5)[0]

Q queries, K retrieved.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
import polars as pl
import torch

from twotower.artifacts import MODEL, Corpus, TokenStore, read_corpus, read_unit, read_words
from twotower.config import Tokenize
from twotower.errors import DataError, TwoTowerError
from twotower.files import fingerprint
from twotower.retrieval import index
from twotower.text.tokenizer import Tokenizer
from twotower.text.units import splitter
from twotower.towers import model
from twotower.towers.encode import encode

BATCH_TOKENS = 65_536


@dataclass(frozen=True)
class Hit:
    """One retrieved passage."""

    rank: int
    score: float
    """cosine"""
    pid: int
    text: str


def search_tokens(
    towers: model.TwoTowers,
    built: faiss.Index,
    queries: TokenStore,
    k: int,
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode queries and search the index: scores float32 (Q, K), passage rows int64 (Q, K)."""
    vectors_QD = encode(towers.queries, queries, towers.width, device, batch_tokens=BATCH_TOKENS)
    return index.search(built, vectors_QD, k)


class Searcher:
    """Answers texts with passages; built once, used many times."""

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        limits: Tokenize,
        towers: model.TwoTowers,
        built: faiss.Index,
    ) -> None:
        """Use `Searcher.load` to read the pipeline's artefacts."""
        self._passages, self._tokenizer, self._limits = corpus.passages, tokenizer, limits
        self._towers, self._index = towers, built
        self.smoke: bool = corpus.counts["smoke"]

    @classmethod
    def load(cls) -> Searcher:
        """Read every artefact from the repository's root.

        Raises DataError if one is missing, or if they are not of one run.
        """
        corpus, towers = read_corpus(), model.load()
        built = index.load(fingerprint(MODEL), len(corpus.passages))
        words = read_words()
        if len(words) != towers.words:
            raise DataError(
                f"the vocabulary has {len(words)} words and the model {towers.words}: they are not "
                "of one run; `dvc repro` makes them anew"
            )
        tokenizer = Tokenizer(words, splitter(read_unit()))
        return cls(corpus, tokenizer, model.read_limits(), towers, built)

    @property
    def pool(self) -> int:
        """Passages that are searched."""
        return len(self._passages)

    def search(self, texts: list[str], k: int = 10) -> list[list[Hit]]:
        """Give the k best passages of each text, best first."""
        if k < 1:
            raise TwoTowerError(f"k is {k}; ask for at least one passage")
        tokens = self._tokenizer(pl.Series(texts, dtype=pl.String), self._limits.max_query_tokens)
        scores_QK, rows_QK = search_tokens(
            self._towers, self._index, tokens.store, k, torch.device("cpu")
        )
        return [self._hits(*found) for found in zip(scores_QK, rows_QK, strict=True)]

    def _hits(self, scores_K: np.ndarray, rows_K: np.ndarray) -> list[Hit]:
        found = self._passages[rows_K.tolist()]
        return [
            Hit(rank, round(float(score), 6), pid, text)
            for rank, (score, (pid, text)) in enumerate(
                zip(scores_K, found.iter_rows(), strict=True), 1
            )
        ]
