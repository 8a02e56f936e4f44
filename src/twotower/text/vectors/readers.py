"""Reading word vectors of any format: the one entry for the vocabulary.

In: a file, a folder that holds one, or a model's folder. Out: the vectors of the wanted words.
Formats: glove and word2vec (text), word2vec-binary, model (a model's word pieces), and auto, which
looks at names and at the first line. Files may be packed as .gz or in a .zip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import polars as pl

from twotower.text.vectors.binary import read_binary
from twotower.text.vectors.containers import opened
from twotower.text.vectors.faults import HEADER
from twotower.text.vectors.locate import files_of, is_model
from twotower.text.vectors.model_table import read_model
from twotower.text.vectors.table import Block, Vectors, collect
from twotower.text.vectors.text import HEADER_BYTES, read_glove, read_word2vec

__all__ = ["Vectors", "read_vectors"]

READERS: dict[str, Callable[[IO[bytes], str, int], Iterator[Block]]] = {
    "glove": read_glove,
    "word2vec": read_word2vec,
    "word2vec-binary": read_binary,
}


def read_vectors(path: Path, format_: str, width: int, wanted: pl.Series) -> Vectors:
    """Read the vectors of the wanted words; raises DataError naming file and line or word.

    format_: auto | glove | word2vec | word2vec-binary | model; width: numbers a word, which also
    chooses the file in a zip of several.
    """
    file, *tensors = files_of(path, format_)
    if is_model(path, format_):
        return collect(read_model(file, tensors[0], width), wanted)
    kind = _format(file, width) if format_ == "auto" else format_
    with opened(file, width) as (stream, name):
        return collect(READERS[kind](stream, name, width), wanted)


def _format(file: Path, width: int) -> str:
    with opened(file, width) as (stream, name):
        if name.lower().removesuffix(".gz").endswith(".bin"):
            return "word2vec-binary"
        return "word2vec" if HEADER.fullmatch(stream.readline(HEADER_BYTES)) else "glove"
