"""The pair of towers: starts, similarity, and what is on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from twotower.artifacts import PAD, UNK
from twotower.config import Tokenize
from twotower.towers import model
from twotower.towers.encode import to_tensors
from twotower.towers.table import initial_table, inverse_document_frequency

LIMITS = Tokenize(max_query_tokens=9, max_passage_tokens=17)
TEXTS = to_tensors(tiny.random_store(7, seed=0), torch.device("cpu"))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("encoder", ["average", "lstm"])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, encoder: str, shared: bool) -> None:
    towers = tiny.towers(encoder=encoder, shared=shared)
    with torch.no_grad():
        towers.passage.table += 0.25  # the two towers of an unshared pair now differ
    model.save(towers, LIMITS, tmp_path / "model")
    loaded = model.load(tmp_path / "model")
    assert model.read_limits(tmp_path / "model") == LIMITS
    with torch.no_grad():
        assert torch.equal(loaded.queries(*TEXTS), towers.queries(*TEXTS))
        assert torch.equal(loaded.passages(*TEXTS), towers.passages(*TEXTS))
        assert torch.equal(loaded.queries(*TEXTS), loaded.passages(*TEXTS)) is shared


def test_equal_towers_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        model.save(tiny.towers(seed=4), LIMITS, tmp_path / name)
    for file in ("weights.safetensors", "config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_shared_weights_are_stored_once(tmp_path: Path) -> None:
    model.save(tiny.towers(shared=True), LIMITS, tmp_path / "one")
    model.save(tiny.towers(shared=False), LIMITS, tmp_path / "two")
    sizes = [(tmp_path / name / "weights.safetensors").stat().st_size for name in ("one", "two")]
    assert sizes[0] < 0.6 * sizes[1]


def test_unshared_towers_start_equal() -> None:
    towers = tiny.towers(encoder="gru", shared=False)
    with torch.no_grad():
        assert torch.equal(towers.queries(*TEXTS), towers.passages(*TEXTS))


def test_the_seed_decides_the_start_and_the_global_generator_does_not() -> None:
    torch.manual_seed(1)
    first = tiny.towers(seed=3, encoder="lstm").queries(*TEXTS)
    torch.manual_seed(2)
    assert torch.equal(tiny.towers(seed=3, encoder="lstm").queries(*TEXTS), first)
    assert not torch.allclose(tiny.towers(seed=4, encoder="lstm").queries(*TEXTS), first)


def test_vectors_have_length_one_and_similarity_is_their_cosine() -> None:
    with torch.no_grad():
        vectors = tiny.towers().queries(*TEXTS)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(7))
    cosine = torch.nn.functional.cosine_similarity(vectors[:1], vectors, dim=1)
    torch.testing.assert_close(model.similarity(vectors, vectors)[0], cosine)


def test_the_table_by_parts() -> None:
    vectors = tiny.word_vectors(words=5_000, known=30)
    table = initial_table(vectors, scale=0.5, random_dims=64, seed=1)
    assert table.shape == (5_000, 4 + 64)
    assert table.dtype == np.float32
    assert not table[PAD].any()
    np.testing.assert_allclose(np.linalg.norm(table[2:, :4], axis=1), 0.5, rtol=1e-5)
    unit = vectors.pretrained_VE[2] / np.linalg.norm(vectors.pretrained_VE[2])
    np.testing.assert_allclose(table[2, :4], 0.5 * unit, rtol=1e-5)
    assert not table[UNK, 4:].any()
    assert np.linalg.norm(table[2:, 4:], axis=1).mean() == pytest.approx(1, abs=0.01)


def test_idf_by_hand() -> None:
    vectors = tiny.word_vectors(words=4)
    vectors.df_W[:] = [0, 250, 1, 10]
    idf = inverse_document_frequency(vectors)
    assert idf[PAD] == 0
    assert idf[2] == pytest.approx(np.log(1 + (100 - 1 + 0.5) / 1.5))
    assert idf[3] == pytest.approx(np.log(1 + (100 - 10 + 0.5) / 10.5))
    assert idf[UNK] == pytest.approx(np.log(1 + 0.5 / 100.5)), "a df above N counts as N"
