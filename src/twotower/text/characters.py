"""Text to characters: each code point of the normalised text is a token, the blank included."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl

from twotower.artifacts import TokenStore
from twotower.text.words import Words, compact, offsets, prepared


def split_characters(texts: pl.Series, *, lower_case: bool) -> Words:
    """Split texts into characters; they stand in order of their code points."""
    table = texts.rename("text").to_frame().select(prepared(pl.col("text"), lower_case=lower_case))
    text = table["text"]
    code_C = np.frombuffer("".join(text.to_list()).encode("utf-32-le"), np.uint32)
    points, ids_C = compact(code_C, sys.maxunicode + 1)
    forms = pl.Series(list(map(chr, points)), dtype=pl.String)
    return Words(forms, TokenStore(ids_C, offsets(text.str.len_chars().to_numpy())))
