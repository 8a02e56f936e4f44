"""A model's folder for unit tests: untrained towers whose words are w2 to w39."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import tiny

from twotower.artifacts import Unit, Vocabulary, write_vocabulary
from twotower.config import Tokenize
from twotower.towers import model

LIMITS = Tokenize(max_query_tokens=3, max_passage_tokens=8)
NAMES = ["<pad>", "<unk>", *(f"w{row}" for row in range(2, tiny.WORDS))]
WIDTH = 11
"""The anchor, 4 numbers of the word vectors and 6 random ones."""


def write(
    folder: Path, *, names: list[str] = NAMES, tokenizer: str | None = None, **changes: object
) -> Path:
    """Write towers, with changes to tiny's, and their words to `model`, as stage train does."""
    words = pl.DataFrame({"word": names, "count": 1, "df": 1})
    vectors = tiny.word_vectors()
    unit = Unit("wordpieces" if tokenizer else "words", lower_case=True, tokenizer=tokenizer)
    built = Vocabulary(words, vectors.identity_W, vectors.pretrained_VE, {"passages": 1}, unit)
    write_vocabulary(built, folder / "vocab")
    model.save(tiny.towers(**changes), LIMITS, folder / "model", folder / "vocab")
    shutil.rmtree(folder / "vocab")
    return folder / "model"
