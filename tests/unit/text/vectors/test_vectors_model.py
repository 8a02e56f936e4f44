"""The table of a model's word pieces: pieces by id, exact rows, and models that do not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram, WordPiece

from twotower.errors import DataError
from twotower.text.vectors.readers import read_vectors
from twotower.text.vectors.table import Vectors

PIECES = ["[PAD]", "[UNK]", "the", "##s", "cat", "Cat"]
TABLE_VE = np.arange(16, dtype=np.float32).reshape(8, 2) / 3
BERT = "embeddings.word_embeddings.weight"


def word_piece() -> Tokenizer:
    return Tokenizer(WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))


def write(folder: Path, tensors: dict[str, np.ndarray], tokenizer: Tokenizer | None = None) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (tokenizer or word_piece()).save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors")
    return folder


def read(folder: Path, wanted: list[str] = PIECES, width: int = 2) -> Vectors:
    return read_vectors(folder, "auto", width, pl.Series("word", wanted[::-1]))


@pytest.mark.parametrize("name", [BERT, f"bert.{BERT}", "embedding.weight", "embeddings"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_pieces_by_id(tmp_path: Path, name: str, kind: type[np.floating[Any]]) -> None:
    others = {"a.weight": np.zeros((3, 3)), f"{BERT}.scale": np.zeros(1)}
    write(tmp_path, {name: TABLE_VE.astype(kind), **others})
    found = read(tmp_path)
    assert found.words.to_list() == PIECES
    assert found.vectors_WE.dtype == "float32"
    np.testing.assert_array_equal(found.vectors_WE, TABLE_VE[:6].astype(kind).astype(np.float32))
    assert (found.words_in_file, found.repeated) == (6, 0)
    assert read(tmp_path, ["Cat", "##s", "dog"]).words.to_list() == ["##s", "Cat"]


def test_the_folder_of_a_static_model(tmp_path: Path) -> None:
    write(tmp_path / "0_StaticEmbedding", {"embedding.weight": TABLE_VE})
    assert read(tmp_path).words.to_list() == PIECES


def test_a_gap_in_the_ids_and_an_added_piece(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordPiece({"b": 5, "a": 1}, unk_token="a"))
    tokenizer.add_tokens(["new piece"])
    ids = tokenizer.get_vocab()
    assert ids["new piece"] < 8
    write(tmp_path, {BERT: TABLE_VE}, tokenizer)
    found = read(tmp_path, list(ids))
    assert found.words.to_list() == sorted(ids, key=lambda piece: ids[piece])
    assert found.vectors_WE.tolist() == TABLE_VE[sorted(ids.values())].tolist()


@pytest.mark.parametrize(
    "model",
    [
        Unigram([("<unk>", 0), ("\u2581the", -1), ("s", -2)], unk_id=0),
        BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]),
    ],
)
def test_other_kinds_of_tokenizer(tmp_path: Path, model: Any) -> None:
    tokenizer = Tokenizer(model)
    pieces = [tokenizer.id_to_token(i) for i in range(3)]
    write(tmp_path, {BERT: TABLE_VE}, tokenizer)
    assert read(tmp_path, pieces).words.to_list() == pieces


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({BERT: TABLE_VE[:, :1]}, "has 1 numbers a word, vectors.width is 2: set it to 1"),
        ({BERT: TABLE_VE[0]}, f"{BERT} has the shape [2], expected rows of 2 numbers"),
        ({BERT: TABLE_VE[:5]}, "the table has 5 rows, but tokenizer.json gives 'Cat' the id 5"),
        ({BERT: TABLE_VE.astype(np.int8)}, f"{BERT} is I8, expected one of F16, F32, F64; save"),
        ({BERT: TABLE_VE + np.float32([0, np.inf])}, "'[PAD]' has a number that is NaN or inf"),
        (
            {BERT: TABLE_VE.astype(np.float64) + 1e300},
            "'[PAD]' has a number that is NaN or infinite",
        ),
        ({"x.weight": TABLE_VE, "y": TABLE_VE}, "with a row a piece; it holds x.weight, y"),
        ({f"a.{BERT}": TABLE_VE, f"b.{BERT}": TABLE_VE}, f"it holds a.{BERT}, b.{BERT}"),
        ({"embeddings": TABLE_VE, "mapping": TABLE_VE}, "it holds embeddings, mapping"),
        ({}, "it holds nothing"),
    ],
)
def test_tables_that_do_not_fit(
    tmp_path: Path, tensors: dict[str, np.ndarray], message: str
) -> None:
    write(tmp_path, tensors)
    with pytest.raises(DataError, match=rf"model\.safetensors: .*{re.escape(message)}"):
        read(tmp_path)


def test_bfloat16_is_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save_tensors

    write(tmp_path, {})
    save_tensors({BERT: torch.zeros(8, 2, dtype=torch.bfloat16)}, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=r"is BF16, expected one of F16, F32, F64; save the model"):
        read(tmp_path)


def test_files_that_are_not_what_they_say(tmp_path: Path) -> None:
    write(tmp_path, {BERT: TABLE_VE})
    tensors = tmp_path / "model.safetensors"
    for broken in (b"", b"x" * 100, tensors.read_bytes()[:-1]):
        tensors.write_bytes(broken)
        with pytest.raises(DataError, match=r"model\.safetensors: not a whole safetensors file"):
            read(tmp_path)
    for text in ("", "{}", "[1]", '{"model": 3}'):
        (tmp_path / "tokenizer.json").write_text(text)
        with pytest.raises(DataError, match=r"tokenizer\.json: not a tokenizer that can be read"):
            read(tmp_path)
    write(tmp_path, {BERT: TABLE_VE}, Tokenizer(BPE()))
    with pytest.raises(DataError, match=r"tokenizer\.json: the tokenizer has no pieces"):
        read(tmp_path)
