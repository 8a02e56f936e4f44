"""Text to words: exactly NLTK's word tokeniser, with each distinct piece of text worked on once.

NLTK's rules look beyond one blank-separated piece in two places only: at the end of a text (the
final period, with the closing quotes and brackets behind it) and at a quote that opens it. So a
text is cut at its blanks, except there. Blanks in front mark the two exceptions:

    he said (no." )   ->   "he", "said", ' (no." )'       the end of a text
    "no," he said     ->   '  "no," he said'              a whole text, opened by a quote

Distinct pieces go through NLTK once; the rest is table work in polars. NLTK's `word_tokenize`
needs a download on a fresh machine; `NLTKWordTokenizer`, which it calls, does not.

What every way of splitting text shares stands here too: `Words`, `blocks`, and what is done to a
text before it is split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import polars as pl

from twotower.artifacts import TokenStore

END = r"""\S+(?: [\]\)}>"'»”’]+)*$"""
"""The last piece, and pieces of nothing but closing marks behind it."""
SENSITIVE = r"""[.,:']"""
"""An end without one of these gives the same words as in the middle of a text."""
BLOCK_BYTES = 16 * 2**20
NLTK_PIECES = 20_000


@dataclass(frozen=True)
class Words:
    """Texts as rows of a table of distinct words."""

    forms: pl.Series
    """The distinct words."""
    store: TokenStore
    """Texts as rows of `forms`; a text may be empty here."""


Splitter = Callable[[pl.Series], Words]
"""Splits a column of texts; what it gives for a text does not depend on the other texts."""


def blocks(texts: pl.Series, split: Splitter, size: int = BLOCK_BYTES) -> Iterator[Words]:
    """Split a column of texts block by block, so that memory stays bounded.

    size: bytes of a block, in which each text counts one more; one text is never cut.
    """
    ends = np.cumsum(texts.str.len_bytes().to_numpy().astype(np.int64) + 1)
    starts = np.concatenate([[0], ends[:-1]])
    first = np.flatnonzero(np.diff(starts // size)) + 1
    for start, end in pairwise([0, *first.tolist(), len(texts)]):
        if start < end:
            yield split(texts.slice(start, end - start))


def split_words(texts: pl.Series, *, lower_case: bool) -> Words:
    """Split texts into NLTK's words; they stand in order of first appearance."""
    table = texts.rename("text").to_frame().lazy()
    table = table.select(prepared(pl.col("text"), lower_case=lower_case))
    pieces = table.select(_pieces(pl.col("text"))).collect().to_series()
    piece_P = pieces.explode()
    different, piece_ids_P = distinct(piece_P)
    word_W, lengths = _tokenize(different.to_list())
    forms, form_ids_W = distinct(pl.Series(word_W, dtype=pl.String))
    words_of_piece = TokenStore(form_ids_W, offsets(lengths))
    words = words_of_piece.take(piece_ids_P)
    piece_offsets = offsets(pieces.list.len().to_numpy())
    return Words(forms, TokenStore(words.ids, words.offsets[piece_offsets]))


def prepared(text: pl.Expr, *, lower_case: bool) -> pl.Expr:
    """Normalise each text and, if asked, lower-case it."""
    return normalised(text).str.to_lowercase() if lower_case else normalised(text)


def normalised(text: pl.Expr) -> pl.Expr:
    """Turn each run of white space and control characters into one blank; none at the ends."""
    return text.str.replace_all(r"[\s\p{Cc}]+", " ").str.strip_chars(" ")


def _pieces(text: pl.Expr) -> pl.Expr:
    """Cut each normalised text into its list of pieces; an empty text gives one empty piece."""
    end = text.str.extract(f"({END})", 1)
    before = text.str.replace(f" ?{END}", "")
    return (
        pl.when(text.str.contains(r"""^["']"""))
        .then("  " + text)
        .when(end.is_null() | ~end.str.contains(SENSITIVE))
        .then(text.str.replace_all(" ", "\n", literal=True))
        .when(before == "")
        .then(" " + text)
        .otherwise(before.str.replace_all(" ", "\n", literal=True) + "\n " + end)
        .str.split("\n")
    )


def distinct(values: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Give the distinct values in order of appearance, and each value's row among them (int32)."""
    column = values.rename("value")
    table = column.unique(maintain_order=True).to_frame().with_row_index("row")
    rows = column.to_frame().join(table, on="value", how="left", maintain_order="left")["row"]
    return table["value"], rows.to_numpy().astype(np.int32)


def compact(values: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Do as `distinct` for whole numbers from 0 to below limit, ascending; without sorting them."""
    present = np.zeros(limit, bool)
    present[values] = True
    different = np.flatnonzero(present)
    row_of = np.empty(limit, np.int32)
    row_of[different] = np.arange(len(different))
    return different, row_of[values]


def offsets(lengths: list[int] | np.ndarray) -> np.ndarray:
    """Give where each text starts, and the end: int64, one more than lengths."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _tokenize(pieces: list[str]) -> tuple[list[str], list[int]]:
    """Give NLTK's words of all pieces, one after the other, and how many each piece has."""
    words: list[str] = []
    lengths = []
    for start in range(0, len(pieces), NLTK_PIECES):
        for of_piece in _tokenize_some(pieces[start : start + NLTK_PIECES]):
            words += of_piece
            lengths.append(len(of_piece))
    return words, lengths


def _tokenize_some(pieces: list[str]) -> Iterator[list[str]]:
    """Send all middle pieces through NLTK as one text, with a stranger between each two of them."""
    from nltk.tokenize import NLTKWordTokenizer

    tokenize = NLTKWordTokenizer().tokenize
    stranger = _absent_character("".join(pieces))
    middle = [piece for piece in pieces if not piece.startswith(" ")]
    words = iter(tokenize(f"{stranger} " + f" {stranger} ".join([*middle, ""])))
    next(words)
    for piece in pieces:
        if piece.startswith("  "):
            yield tokenize(piece[2:])
        elif piece.startswith(" "):
            yield tokenize(stranger + piece)[1:]
        else:
            yield list(iter(words.__next__, stranger))


def _absent_character(text: str) -> str:
    """Give a private-use character, which no rule of NLTK's touches, that the text lacks."""
    present = set(text)
    candidates = map(chr, chain(range(0xE000, 0xF900), range(0xF0000, 0xFFFFE)))
    return next(char for char in candidates if char not in present)
