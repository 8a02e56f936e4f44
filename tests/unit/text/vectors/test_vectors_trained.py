"""Vectors trained on texts: deterministic, read back exactly, and near where use is alike."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twotower import config
from twotower.errors import DataError
from twotower.text.characters import split_characters
from twotower.text.vectors import trained
from twotower.text.vectors.readers import read_vectors
from twotower.text.vectors.table import Vectors
from twotower.text.vectors.trained import sentences, train
from twotower.text.words import blocks, split_words

ROOT = Path(__file__).resolve().parents[4]
GROUPS = [["cat", "dog", "mouse", "horse"], ["rice", "bread", "soup", "bean"]]
SPLIT = partial(split_words, lower_case=True)


def texts() -> pl.Series:
    """Texts of words of one group each, so that words of a group are used alike."""
    rng = np.random.default_rng(0)
    rows = [" ".join(rng.choice(GROUPS[i % 2], 8)) for i in range(400)]
    return pl.Series([*rows, "hapax", ""])


def settings(epochs: int) -> config.Vectors:
    other = {"source": "corpus", "file": "none", "format": "auto"}
    return config.Vectors(width=8, window=3, epochs=epochs, **other)


def trained_on(texts: pl.Series, path: Path, seed: int = 1, epochs: int = 6) -> bytes:
    several = list(blocks(texts, SPLIT, size=1000))
    train(sentences(several), path, settings(epochs), seed)
    return path.read_bytes()


def read(path: Path) -> Vectors:
    wanted = pl.Series([*GROUPS[0], *GROUPS[1], "hapax"])
    return read_vectors(path, "auto", 8, wanted)


def test_words_used_alike_are_near(tmp_path: Path) -> None:
    trained_on(texts(), tmp_path / "v.bin", epochs=30)
    found = read(tmp_path / "v.bin")
    assert set(found.words) == {*GROUPS[0], *GROUPS[1]}  # hapax occurs once
    unit_WE = found.vectors_WE / np.linalg.norm(found.vectors_WE, axis=1, keepdims=True)
    same_WW = np.equal.outer(*[found.words.is_in(GROUPS[0]).to_numpy()] * 2)
    cosine_WW = unit_WE @ unit_WE.T
    assert cosine_WW[same_WW].min() > cosine_WW[~same_WW].max()


def test_most_frequent_words_first(tmp_path: Path) -> None:
    trained_on(pl.Series(["a b c", "b c", "c"]), tmp_path / "v.bin")
    found = read_vectors(tmp_path / "v.bin", "auto", 8, pl.Series(["a", "b", "c"]))
    assert found.words.to_list() == ["c", "b"]


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    # Several of gensim's batches of 10,000 words, which only one thread takes in the same order.
    numbers = np.random.default_rng(0).integers(0, 3000, (3000, 40)).astype(str)
    written = []
    for seed in (1, 1, 2):
        path = tmp_path / "v.bin"
        train(numbers.tolist(), path, settings(2), seed)
        written.append(path.read_bytes())
    assert written[0] == written[1] != written[2]


@pytest.mark.slow
def test_pythons_hash_seed_does_not_matter(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import test_vectors_trained as t;"
        "t.trained_on(t.texts(), Path(sys.argv[1]))"
    )
    here = str(Path(__file__).parent)
    found = set()
    for seed in ("0", "1", "77"):
        path = tmp_path / f"{seed}.bin"
        variables = {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([here, str(ROOT / "src")]),
        }
        subprocess.run(
            [sys.executable, "-c", code, path], check=True, env={**os.environ, **variables}
        )
        found.add(hashlib.md5(path.read_bytes()).hexdigest())
    assert len(found) == 1


def test_sentences_are_the_words_of_each_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "LONGEST_SENTENCE", 3)
    again = sentences(list(blocks(pl.Series(["The cat.", "", "a b c d e"]), SPLIT, size=1)))
    for _ in range(2):
        assert list(again) == [["the", "cat", "."], ["a", "b", "c"], ["d", "e"]]


def test_a_word_with_a_blank_is_left_out(tmp_path: Path) -> None:
    split = partial(split_characters, lower_case=True)
    several = list(blocks(pl.Series(["ab ab", "b a"] * 9), split))
    train(sentences(several), tmp_path / "v.bin", settings(1), 1)
    found = read_vectors(tmp_path / "v.bin", "auto", 8, pl.Series(["a", "b", " "]))
    assert sorted(found.words) == ["a", "b"]
    assert found.words_in_file == 2


def test_too_little_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no word occurs 2 times: too little text"):
        trained_on(pl.Series(["a b", "c"]), tmp_path / "v.bin")
    assert list(tmp_path.iterdir()) == []


def test_without_gensim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(DataError, match=r'needs the package gensim: pip install -e "\.\[word2vec'):
        trained_on(texts(), tmp_path / "v.bin")


def test_gensim_is_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        trained_on(texts(), tmp_path / "v.bin")
    assert [record.name for record in caplog.records] == [trained.__name__]
    assert caplog.messages == ["8 words have vectors, trained on 401 texts"]


def test_the_bar_counts_every_text_of_every_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bar:
        done = 0

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *error: object) -> None: ...

        def update(self, done: int) -> None:
            self.done += done

    bars: list[tuple[int, Bar]] = []

    def progress(total: int, unit: str, description: str) -> Bar:
        bars.append((total, Bar()))
        return bars[-1][1]

    monkeypatch.setattr(trained, "progress", progress)
    trained_on(texts(), tmp_path / "v.bin")
    assert [(total, bar.done) for total, bar in bars] == [(6 * 401, 6 * 401)]
