"""The model's folder on disk: what is saved is what is loaded, equal towers are equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tiny
import torch
from moved_towers import encoded, moved
from safetensors import safe_open

from twotower.artifacts import Unit, Vocabulary, read_unit, read_words, write_vocabulary
from twotower.config import Tokenize
from twotower.errors import DataError
from twotower.towers import model

LIMITS = Tokenize(max_query_tokens=9, max_passage_tokens=17)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A vocabulary's folder."""
    table = pl.DataFrame({"word": ["<pad>", "<unk>", "tower"], "count": [0, 0, 2], "df": [0, 0, 1]})
    pretrained, unit = np.zeros((3, 4), np.float32), Unit("words", lower_case=True)
    write_vocabulary(
        Vocabulary(table, np.array([0, 0, 1]), pretrained, {}, unit), tmp_path / "vocab"
    )
    return tmp_path / "vocab"


SAVED: list[dict[str, object]] = [
    {},
    {"share": "table", "similarity": "dot", "anchor": 0.0, "weights_per_side": False},
    {"share": "nothing"},
    {"encoder": "lstm", "layers": 2, "pooling": "attention"},
    {"encoder": "gru", "residual": True, "reads": "pretrained", "share": "nothing"},
    {"encoder": "rnn", "query_encoder": "average", "share": "table", "residual": True},
    {"projection": 3, "layer_norm": True, "anchor": 0.0, "vector_scale": 0.0},
    {"token_weights": "none", "random_dims": 0, "similarity": "euclidean", "anchor": 0.0},
]


@pytest.mark.parametrize("changes", SAVED, ids=str)
def test_what_is_saved_is_what_is_loaded(
    tmp_path: Path, words: Path, changes: dict[str, object]
) -> None:
    towers = moved(tiny.towers(**changes))
    model.save(towers, LIMITS, tmp_path / "model", words)
    loaded = model.load(tmp_path / "model")
    assert (loaded.config, loaded.facts) == (towers.config, towers.facts)
    assert not loaded.training
    for found, expected in zip(encoded(loaded), encoded(towers), strict=True):
        assert torch.equal(found, expected)
    assert [name for name, _ in loaded.named_parameters()] == [
        name for name, _ in towers.named_parameters()
    ]


@pytest.mark.parametrize("changes", SAVED, ids=str)
def test_equal_towers_are_equal_bytes(
    tmp_path: Path, words: Path, changes: dict[str, object]
) -> None:
    for name in ("one", "two"):
        model.save(tiny.towers(seed=4, **changes), LIMITS, tmp_path / name, words)
    for file in ("weights.safetensors", "config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("share", "tables"), [("towers", 1), ("table", 1), ("nothing", 2)], ids=str
)
def test_shared_weights_are_stored_once(
    tmp_path: Path, words: Path, share: str, tables: int
) -> None:
    towers = moved(tiny.towers(encoder="gru", residual=True, share=share))
    model.save(towers, LIMITS, tmp_path / "model", words)
    with safe_open(tmp_path / "model" / "weights.safetensors", "pt") as file:
        stored = list(file.keys())
        numbers = sum(file.get_tensor(name).numel() for name in stored)
    assert sum(name.endswith("table.own") for name in stored) == tables
    assert sum(name.endswith("output.weight") for name in stored) == (1 if share == "towers" else 2)
    kept = [*towers.parameters(), *towers.buffers()]
    assert numbers == sum(weight.numel() for weight in kept)


def test_the_folder_holds_the_words_and_the_limits(tmp_path: Path, words: Path) -> None:
    folder = tmp_path / "model"
    model.save(tiny.towers(), LIMITS, folder, words)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "unit.json",
        "weights.safetensors",
        "words.parquet",
    ]
    assert read_words(folder)["word"].to_list() == ["<pad>", "<unk>", "tower"]
    assert read_unit(folder) == Unit("words", lower_case=True)
    assert model.read_limits(folder) == LIMITS


@pytest.mark.parametrize("read", [model.load, model.read_limits])
def test_a_missing_folder_says_which_stage_makes_it(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(DataError, match=r"dvc repro.*train"):
        read(tmp_path / "none")
