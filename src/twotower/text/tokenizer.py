"""Text to token ids: words, looked up in the vocabulary, cut at a maximum length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from twotower.artifacts import UNK, TokenStore
from twotower.text.words import blocks


@dataclass(frozen=True)
class Tokenized:
    """A token store, and what was lost on the way to it, a text."""

    store: TokenStore
    words_N: np.ndarray
    """int64, words of each text before it was cut"""
    unknown_N: np.ndarray
    """int64, kept tokens of each text that are <unk>"""


class Tokenizer:
    """Turns texts into token ids with one vocabulary."""

    def __init__(self, words: pl.DataFrame) -> None:
        """words: the vocabulary's table, row i the word with id i."""
        self._ids = words.select("word").with_row_index("id")

    def __call__(self, texts: pl.Series, max_tokens: int) -> Tokenized:
        """Tokenize a column of texts; each keeps its first max_tokens words.

        A text without any word becomes one <unk>, so that every text has a vector.
        """
        ids, lengths, cut = [], [], []
        for words in blocks(texts):
            known = words.forms.rename("word").to_frame()
            known = known.join(self._ids, on="word", how="left", maintain_order="left")
            id_of_form = known["id"].fill_null(UNK).to_numpy().astype(np.int32)
            kept, full_N = _cut(words.store, max_tokens)
            ids.append(_filled(id_of_form[kept.ids], kept.lengths))
            lengths.append(np.maximum(kept.lengths, 1))
            cut.append(full_N)
        none = np.empty(0, np.int64)
        flat = np.concatenate([none, *ids]).astype(np.int32)
        offsets = np.concatenate([[0], np.cumsum(np.concatenate([none, *lengths]))])
        unknown = np.concatenate([[0], np.cumsum(flat == UNK)])[offsets]
        return Tokenized(TokenStore(flat, offsets), np.concatenate([none, *cut]), np.diff(unknown))


def _cut(store: TokenStore, max_tokens: int) -> tuple[TokenStore, np.ndarray]:
    """Keep the first tokens of each text; also give the full lengths."""
    lengths = store.lengths
    position = np.arange(len(store.ids)) - np.repeat(store.offsets[:-1], lengths)
    offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, max_tokens))])
    return TokenStore(store.ids[position < max_tokens], offsets), lengths


def _filled(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Put one <unk> where a text has no token."""
    ends = np.cumsum(lengths)
    filled: np.ndarray = np.insert(ids, ends[lengths == 0], UNK)
    return filled


def loss_by_split(
    passages: Tokenized, queries: Tokenized, splits: pl.Series
) -> dict[str, dict[str, float]]:
    """Say how much of the passages, and of each split's queries, was lost."""
    of_query = splits.to_numpy()
    names = splits.unique(maintain_order=True)
    return {
        "passages": _loss(passages, np.arange(len(passages.store))),
        **{f"queries_{name}": _loss(queries, np.flatnonzero(of_query == name)) for name in names},
    }


def _loss(tokenized: Tokenized, rows: np.ndarray) -> dict[str, float]:
    """Rates are shares from 0 to 1, rounded to 6 places."""
    kept = tokenized.store.lengths[rows]
    return {
        "texts": len(rows),
        "tokens": int(kept.sum()),
        "unknown_token_rate": round(float(tokenized.unknown_N[rows].sum() / kept.sum()), 6),
        "truncated_text_rate": round(float((tokenized.words_N[rows] > kept).mean()), 6),
    }
