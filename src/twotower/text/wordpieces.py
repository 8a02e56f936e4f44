"""Text to word pieces, as one model's own tokenizer.json cuts them.

The file decides everything, lower case included; only what belongs to running the model itself is
left out: the special tokens around a text, the cut at the model's length, and padding. The piece
that stands for unknown text becomes `<unk>`.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from twotower.artifacts import SPECIAL, UNK, TokenStore
from twotower.errors import DataError
from twotower.text.words import Splitter, Words, compact, distinct, offsets

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH_TEXTS = 1000
REMEDY = (
    "vocab.unit: wordpieces needs vectors.source: local, and vectors.file to name a "
    "sentence-transformers model folder"
)


def splitter(content: str) -> Splitter:
    """Give what splits texts as the content of a tokenizer.json says.

    Raises DataError if it is not one, or turns out to be incomplete while splitting.
    """
    tokenizer = _load(content)
    return partial(_split, tokenizer, pl.Series(_forms(tokenizer, content), dtype=pl.String))


def _load(content: str) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing more particular
        raise DataError(f"not a tokenizer.json: {error}; {REMEDY}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _forms(tokenizer: Tokenizer, content: str) -> list[str]:
    """Give the piece of each id."""
    pieces = tokenizer.get_vocab()
    forms = [""] * (max(pieces.values(), default=-1) + 1)
    for piece, row in pieces.items():
        forms[row] = piece
    unknown = _unknown(tokenizer, content)
    if unknown is not None:
        forms[unknown] = SPECIAL[UNK]
    return forms


def _unknown(tokenizer: Tokenizer, content: str) -> int | None:
    """Give the id for unknown text; byte-level tokenizers, for one, need none."""
    model = json.loads(content)["model"]
    if "unk_id" in model:  # Unigram names the id, the others the piece
        return model["unk_id"]
    return tokenizer.token_to_id(model["unk_token"]) if model.get("unk_token") else None


def _split(tokenizer: Tokenizer, forms: pl.Series, texts: pl.Series) -> Words:
    ids, lengths = [np.empty(0, np.int32)], []
    for start in range(0, len(texts), BATCH_TEXTS):
        batch = texts.slice(start, BATCH_TEXTS).to_list()
        try:
            encoded = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        except Exception as error:  # the library raises nothing more particular
            raise DataError(f"tokenizer.json cannot split a text: {error}; {REMEDY}") from error
        ids += [np.array(encoding.ids, np.int32) for encoding in encoded]
        lengths += list(map(len, encoded))
    present, ids_T = compact(np.concatenate(ids), len(forms))
    different, merged = distinct(forms.gather(present))  # <unk> may also stand there by itself
    return Words(different, TokenStore(merged[ids_T], offsets(lengths)))
