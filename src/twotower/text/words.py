"""Text to words: exactly NLTK's word tokeniser, with each distinct piece of text worked on once.

NLTK's rules look beyond one blank-separated piece in two places only: at the end of a text (the
final period, with the closing quotes and brackets behind it) and at a quote that opens it. So a
text is cut at its blanks, except there. Blanks in front mark the two exceptions:

    he said (no." )   ->   "he", "said", ' (no." )'       the end of a text
    "no," he said     ->   '  "no," he said'              a whole text, opened by a quote

Distinct pieces go through NLTK once; the rest is table work in polars. NLTK's `word_tokenize`
needs a download on a fresh machine; `NLTKWordTokenizer`, which it calls, does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import polars as pl

from twotower.artifacts import TokenStore

END = r"""\S+(?: [\]\)}>"'»”’]+)*$"""
"""The last piece, and pieces of nothing but closing marks behind it."""
SENSITIVE = r"""[.,:']"""
"""An end without one of these gives the same words as in the middle of a text."""
BLOCK_TEXTS = 200_000
NLTK_PIECES = 20_000


@dataclass(frozen=True)
class Words:
    """Texts as rows of a table of distinct words."""

    forms: pl.Series
    """The distinct words, in order of first appearance."""
    store: TokenStore
    """Texts as rows of `forms`; a text may be empty here."""


def blocks(texts: pl.Series, size: int = BLOCK_TEXTS) -> Iterator[Words]:
    """Split a column of texts into words, block by block, so that memory stays bounded."""
    for start in range(0, len(texts), size):
        yield split_words(texts.slice(start, size))


def split_words(texts: pl.Series) -> Words:
    """Split texts into lower-cased words."""
    table = texts.rename("text").to_frame().lazy().select(normalised(pl.col("text")))
    pieces = table.select(_pieces(pl.col("text").str.to_lowercase())).collect().to_series()
    piece_P = pieces.explode()
    distinct, piece_ids_P = _distinct(piece_P)
    word_W, lengths = _tokenize(distinct.to_list())
    forms, form_ids_W = _distinct(pl.Series(word_W, dtype=pl.String))
    words_of_piece = TokenStore(form_ids_W, _offsets(lengths))
    words = words_of_piece.take(piece_ids_P)
    piece_offsets = _offsets(pieces.list.len().to_numpy())
    return Words(forms, TokenStore(words.ids, words.offsets[piece_offsets]))


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


def _distinct(values: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Give the distinct values in order of appearance, and each value's row among them (int64)."""
    column = values.rename("value")
    table = column.unique(maintain_order=True).to_frame().with_row_index("row")
    rows = column.to_frame().join(table, on="value", how="left", maintain_order="left")["row"]
    return table["value"], rows.to_numpy().astype(np.int64)


def _offsets(lengths: list[int] | np.ndarray) -> np.ndarray:
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
