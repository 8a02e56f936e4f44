"""Text to token ids: split, looked up in the vocabulary, cut at a maximum length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from twotower.artifacts import SPECIAL, UNK, TokenStore
from twotower.text.words import Splitter, Words, blocks, offsets

LOSS_TEXTS = 100_000
PERCENTILES = (50, 90, 99)


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

    def __init__(self, words: pl.DataFrame, split: Splitter) -> None:
        """words: the vocabulary's table, row i the word with id i; split: that of its unit."""
        self._split = split
        # Text that is spelt like a special word is no such word.
        self._ids = words.select("word").with_row_index("id").slice(len(SPECIAL))

    def __call__(self, texts: pl.Series, max_tokens: int) -> Tokenized:
        """Tokenize a column of texts; each keeps its first max_tokens words.

        A text without any word becomes one <unk>, so that every text has a vector.
        """
        parts = [self._tokenize(words, max_tokens) for words in blocks(texts, self._split)]
        ids = [np.empty(0, np.int32), *(part.store.ids for part in parts)]
        none = np.empty(0, np.int64)
        lengths = np.concatenate([none, *(part.store.lengths for part in parts)])
        return Tokenized(
            TokenStore(np.concatenate(ids), offsets(lengths)),
            np.concatenate([none, *(part.words_N for part in parts)]),
            np.concatenate([none, *(part.unknown_N for part in parts)]),
        )

    def _tokenize(self, words: Words, max_tokens: int) -> Tokenized:
        known = words.forms.rename("word").to_frame()
        known = known.join(self._ids, on="word", how="left", maintain_order="left")
        id_of_form = known["id"].fill_null(UNK).to_numpy().astype(np.int32)
        kept = _cut(words.store, max_tokens)
        ids = _filled(id_of_form[kept.ids], kept.lengths)
        store = TokenStore(ids, offsets(np.maximum(kept.lengths, 1)))
        return Tokenized(store, words.store.lengths, _sum_of_texts(ids == UNK, store))


def _cut(store: TokenStore, max_tokens: int) -> TokenStore:
    """Keep the first tokens of each text."""
    kept = np.minimum(store.lengths, max_tokens)
    ends = offsets(kept)
    where = np.repeat(store.offsets[:-1] - ends[:-1], kept) + np.arange(ends[-1])
    return TokenStore(store.ids[where], ends)


def _filled(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Put one <unk> where a text has no token."""
    ends = np.cumsum(lengths)
    filled: np.ndarray = np.insert(ids, ends[lengths == 0], UNK)
    return filled


def _sum_of_texts(flags: np.ndarray, store: TokenStore) -> np.ndarray:
    """Count the tokens of each text that are flagged; no text is empty."""
    counts: np.ndarray = np.add.reduceat(flags, store.offsets[:-1], dtype=np.int64)
    return counts


def loss_by_split(
    passages: Tokenized, queries: Tokenized, splits: pl.Series, pretrained: int
) -> dict[str, dict[str, float]]:
    """Say how long the passages, and each split's queries, are, and how much of them was lost.

    pretrained: ids from here on have no pretrained vector; neither has <unk> one of its own.
    """
    of_query = splits.to_numpy()
    names = splits.unique(maintain_order=True)
    lacking = [_without_vector(texts.store, pretrained) for texts in (passages, queries)]
    return {
        "passages": _loss(passages, lacking[0], np.arange(len(passages.store))),
        **{
            f"queries_{name}": _loss(queries, lacking[1], np.flatnonzero(of_query == name))
            for name in names
        },
    }


def _without_vector(store: TokenStore, pretrained: int) -> np.ndarray:
    """Count each text's tokens without a vector of their own, some texts at a time."""
    counts = [np.empty(0, np.int64)]
    for start in range(0, len(store), LOSS_TEXTS):
        ends = store.offsets[start : start + LOSS_TEXTS + 1]
        ids = store.ids[ends[0] : ends[-1]]
        some = TokenStore(ids, ends - ends[0])
        counts.append(_sum_of_texts((ids >= pretrained) | (ids == UNK), some))
    return np.concatenate(counts)


def _loss(tokenized: Tokenized, lacking_N: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """Rates are shares from 0 to 1, rounded to 6 places; lengths are those before the cut."""
    kept, words = tokenized.store.lengths[rows], tokenized.words_N[rows]
    tokens = int(kept.sum())
    lengths = np.percentile(words, PERCENTILES, method="inverted_cdf")
    return {
        "texts": len(rows),
        "tokens": tokens,
        "unknown_token_rate": round(float(tokenized.unknown_N[rows].sum() / tokens), 6),
        "without_vector_rate": round(float(lacking_N[rows].sum() / tokens), 6),
        "truncated_text_rate": round(float((words > kept).mean()), 6),
        "length_mean": round(float(words.mean()), 6),
        **{f"length_p{p}": int(length) for p, length in zip(PERCENTILES, lengths, strict=True)},
        "length_max": int(words.max()),
    }
