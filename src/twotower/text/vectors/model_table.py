"""The word-piece table of a sentence-transformers model: a vector for each of its pieces.

In: the model's tokenizer.json, whose pieces are the words here, and model.safetensors, of which
only the table is read. Neither format can hold code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from twotower.errors import DataError
from twotower.text.vectors.faults import wrong_width
from twotower.text.vectors.table import Block

TRANSFORMER = "embeddings.word_embeddings.weight"
"""The table of a transformer; parts of a larger model have their own name in front."""
STATIC = ("embedding.weight", "embeddings")
"""The table of a static model: sentence-transformers' StaticEmbedding, and model2vec."""
KINDS = ("F16", "F32", "F64")


def read_model(tokenizer: Path, tensors: Path, width: int) -> Iterator[Block]:
    """Read the pieces in the order of their ids, as one block; raises DataError."""
    pieces, id_P = _pieces(tokenizer)
    table_VE = _table(tensors, width)
    if id_P[-1] >= len(table_VE):
        raise DataError(
            f"{tensors}: the table has {len(table_VE)} rows, but {tokenizer.name} gives "
            f"{pieces[-1]!r} the id {id_P[-1]}; take both from one model"
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is named below
        vectors_PE = table_VE[id_P].astype(np.float32)
    finite_P = np.isfinite(vectors_PE).all(axis=1)
    if not finite_P.all():
        row = int(np.argmin(finite_P))
        raise DataError(f"{tensors}: {pieces[row]!r} has a number that is NaN or infinite")
    yield Block(pieces, vectors_PE)


def _pieces(path: Path) -> tuple[pl.Series, np.ndarray]:
    """Give the pieces by rising id, and their ids (int64)."""
    from tokenizers import Tokenizer

    try:
        ids = Tokenizer.from_file(str(path)).get_vocab()
    except Exception as error:  # the package raises no narrower kind
        raise DataError(f"{path}: not a tokenizer that can be read: {error}") from None
    if not ids:
        raise DataError(f"{path}: the tokenizer has no pieces")
    table = pl.DataFrame({"word": list(ids), "id": list(ids.values())}).sort("id")
    return table["word"], table["id"].to_numpy()


def _table(path: Path, width: int) -> np.ndarray:
    """Give the table, of any float kind."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            name = _name(sorted(file.keys()), path)
            tensor = file.get_slice(name)
            _check(path, name, tensor.get_shape(), tensor.get_dtype(), width)
            table: np.ndarray = file.get_tensor(name)
            return table
    except SafetensorError as error:
        raise DataError(f"{path}: not a whole safetensors file, fetch it again: {error}") from None


def _name(names: list[str], path: Path) -> str:
    found = [name for name in names if f".{name}".endswith(f".{TRANSFORMER}")]
    found = found or [name for name in names if name in STATIC]
    if len(found) != 1 or "mapping" in names:
        raise DataError(
            f"{path}: expected one table of pieces ({TRANSFORMER}, {' or '.join(STATIC)}) with a "
            f"row a piece; it holds {', '.join(names) or 'nothing'}"
        )
    return found[0]


def _check(path: Path, name: str, shape: list[int], kind: str, width: int) -> None:
    if kind not in KINDS:
        raise DataError(
            f"{path}: {name} is {kind}, expected one of {', '.join(KINDS)}; "
            "save the model in float32: model.float().save_pretrained(folder)"
        )
    if len(shape) != 2:
        raise DataError(f"{path}: {name} has the shape {shape}, expected rows of {width} numbers")
    if shape[1] != width:
        raise wrong_width(str(path), shape[1], width)
