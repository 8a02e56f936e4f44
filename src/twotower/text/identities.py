"""Identities: which words are one thing to the towers, and which are none.

A word's identity is the word itself or its stem, so that "tower", "towers" and "towers." can be
matched while each keeps a vector of its own. Identity 0 is none: it has no dimensions and no
weight. `<pad>` and `<unk>` have none, and neither, if asked, have English stop words and what holds
no letter or digit.

    identity_W = identities(words, stem=True, drop=True)
"""

from __future__ import annotations

import numpy as np
import polars as pl

from twotower.artifacts import SPECIAL, TokenStore

NONE = 0
BLOCK_TEXTS = 100_000
STOP_WORDS = (
    *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is"),
    *("it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there"),
    *("these", "they", "this", "to", "was", "will", "with"),
)
"""Lucene's English ones, those of the BM25 baseline."""
EDGES = r"^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$"
"""Anything but letters and digits at a word's ends."""


def identities(words: pl.Series, *, stem: bool, drop: bool) -> np.ndarray:
    """Give int64 (W,), the identity of each word of a vocabulary; numbered as they first appear."""
    names = words.slice(len(SPECIAL))
    bare = names.str.to_lowercase().str.replace_all(EDGES, "")
    nothing = bare == ""
    if stem:
        names = names.zip_with(nothing, _stems(bare))
    if drop:
        names = names.set(nothing | bare.is_in(STOP_WORDS), "")
    table = pl.DataFrame({"name": names})
    known = table.filter(pl.col("name") != "").unique(maintain_order=True)
    found = table.join(
        known.with_row_index("id", NONE + 1), on="name", how="left", maintain_order="left"
    )
    numbers = found["id"].fill_null(NONE).to_numpy().astype(np.int64)
    return np.concatenate([np.full(len(SPECIAL), NONE), numbers])


def _stems(words: pl.Series) -> pl.Series:
    """Give each word's stem by Snowball's English stemmer (Porter 2); NLTK has it built in."""
    from nltk.stem import SnowballStemmer

    stem = SnowballStemmer("english").stem
    different = words.unique(maintain_order=True)
    stems = pl.Series([stem(word) for word in different.to_list()], dtype=pl.String)
    return words.replace_strict(different, stems, return_dtype=pl.String)


def count_identities(passages: TokenStore, identity_W: np.ndarray) -> tuple[np.ndarray, float]:
    """Give df int64 (I,), passages that hold each identity, and the mean of them a passage.

    A word that stands twice in a passage counts once for its df, and twice for the mean. Counted in
    the passages as they were cut.
    """
    size = int(identity_W.max(initial=NONE)) + 1
    df, tokens = np.zeros(size, np.int64), 0
    for start in range(0, len(passages), BLOCK_TEXTS):
        offsets = passages.offsets[start : start + BLOCK_TEXTS + 1]
        found = identity_W[passages.ids[offsets[0] : offsets[-1]]]
        text = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        real = found != NONE
        tokens += int(real.sum())
        keys = pl.Series(text[real] * size + found[real]).unique().to_numpy()
        df += np.bincount(keys % size, minlength=size)
    return df, tokens / max(len(passages), 1)
