"""The table of word vectors that every reader fills: the wanted words, in the file's order.

In: blocks of words and their vectors, as a reader of `text`, `binary` or `model_table` gives them.
Words are compared exactly, without folding of case or of Unicode. The first of equal words wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Block:
    """Some words of a file, one after the other."""

    words: pl.Series
    vectors_WE: np.ndarray
    """float32, finite"""


@dataclass(frozen=True)
class Vectors:
    """Vectors of the wanted words that the file has, in the file's order."""

    words: pl.Series
    vectors_WE: np.ndarray
    """float32"""
    words_in_file: int
    """Of all words, wanted or not, repeated ones too."""
    repeated: int
    """Later entries of a word that the file has already, wanted or not: the first one wins."""


def collect(blocks: Iterable[Block], wanted: pl.Series) -> Vectors:
    """Keep the wanted words of all blocks; there must be at least one block.

    Memory follows the wanted words. Of the others only the letters are held, to count repeats.
    """
    # A set, because it shrinks as words are found: every block is looked up in it, and a table
    # would be hashed anew for each.
    missing = set(wanted.to_list())
    words, vectors, all_words = [], [], []
    for block in blocks:
        rows = _take(missing, block.words)
        words.append(block.words.gather(rows))
        vectors.append(np.ascontiguousarray(block.vectors_WE[rows]))
        all_words.append(block.words)
    in_file = pl.concat(all_words)
    return Vectors(
        words=pl.concat(words).rename("word"),
        vectors_WE=np.concatenate(vectors),
        words_in_file=len(in_file),
        repeated=len(in_file) - in_file.n_unique(),
    )


def _take(missing: set[str], words: pl.Series) -> list[int]:
    """Give the rows of words that are missing so far, and take them out of `missing`."""
    rows = []
    for row, word in enumerate(words.to_list()):
        if word in missing:
            missing.remove(word)
            rows.append(row)
    return rows
