"""The FAISS index finds what brute force finds, with the one similarity of the system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from twotower.errors import DataError
from twotower.retrieval import exact, index
from twotower.towers.model import normalise, similarity

K = 10


def unit(rows: int, seed: int, width: int = 8) -> np.ndarray:
    vectors = torch.from_numpy(np.random.default_rng(seed).standard_normal((rows, width)))
    return normalise(vectors).numpy()


def by_index(
    queries: np.ndarray, passages: np.ndarray, k: int, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    index.build(passages, "a model", folder / "index")
    return index.search(index.load("a model", len(passages), folder / "index"), queries, k)


def brute_force(queries: np.ndarray, passages: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    scores = queries.astype(np.float64) @ passages.T.astype(np.float64)
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, rows, axis=1), rows


@pytest.mark.parametrize("seed", range(4))
def test_flat_is_exact_is_brute_force(seed: int, tmp_path: Path) -> None:
    queries, passages = unit(30, seed), unit(500, seed + 100)
    scores, rows = brute_force(queries, passages, K)
    for found_scores, found_rows in (
        by_index(queries, passages, K, tmp_path),
        exact.search(queries, passages, K),
    ):
        assert found_scores == pytest.approx(scores, abs=1e-6)
        assert found_rows.tolist() == rows.tolist()
        assert (found_scores.dtype, found_rows.dtype) == (np.float32, np.int64)


def test_with_ties_the_same_passages_are_found(tmp_path: Path) -> None:
    queries, distinct = unit(20, 1), unit(60, 2)
    passages = np.concatenate([distinct, distinct[::-1], distinct])
    scores, _ = brute_force(queries, passages, K)
    for found_scores, found_rows in (
        by_index(queries, passages, K, tmp_path),
        exact.search(queries, passages, K),
    ):
        assert found_scores == pytest.approx(scores, abs=1e-6)
        # 10 = three times three equal passages, and one of the next three
        above = [set(rows[:9]) for rows in found_rows]
        _, expected = brute_force(queries, passages, 9)
        assert above == [set(rows) for rows in expected]
        assert all(len(set(rows)) == K for rows in found_rows)


def test_the_index_computes_similarity(tmp_path: Path) -> None:
    queries, passages = unit(7, 3), unit(40, 4)
    scores, rows = by_index(queries, passages, 40, tmp_path)
    expected = similarity(torch.from_numpy(queries), torch.from_numpy(passages)).numpy()
    assert scores == pytest.approx(np.take_along_axis(expected, rows, axis=1), abs=1e-6)


def test_k_larger_than_the_pool_gives_the_pool(tmp_path: Path) -> None:
    queries, passages = unit(3, 5), unit(6, 6)
    expected, _ = brute_force(queries, passages, 6)
    for scores, rows in (
        by_index(queries, passages, 1000, tmp_path),
        exact.search(queries, passages, 1000),
    ):
        assert scores == pytest.approx(expected, abs=1e-6)
        assert np.sort(rows, axis=1).tolist() == [list(range(6))] * 3


def test_no_queries_give_no_rows(tmp_path: Path) -> None:
    none, passages = np.zeros((0, 8), np.float32), unit(6, 6)
    assert by_index(none, passages, 4, tmp_path)[1].shape == (0, 4)
    assert exact.search(none, passages, 4)[1].shape == (0, 4)


def test_blocks_of_exact_search_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, passages = unit(11, 7), unit(50, 8)
    scores, rows = exact.search(queries, passages, K)
    monkeypatch.setattr(exact, "BLOCK_SCORES", 120)  # two queries a block
    in_blocks = exact.search(queries, passages, K)
    assert in_blocks[0] == pytest.approx(scores, abs=1e-6)
    assert in_blocks[1].tolist() == rows.tolist()


def test_the_same_vectors_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passages = unit(50, 9)
    index.build(passages, "a model", tmp_path / "one")
    monkeypatch.setattr(index, "BLOCK_ROWS", 7)
    index.build(np.asfortranarray(passages), "a model", tmp_path / "two")
    one, two = ((tmp_path / name / index.FILE).read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_loaded_index_is_mapped_and_not_read_into_memory(tmp_path: Path) -> None:
    index.build(unit(50, 9), "a model", tmp_path / "index")
    assert not index.load("a model", 50, tmp_path / "index").codes.is_owned


def test_a_missing_index_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in stage index"):
        index.load("a model", 50, tmp_path / "nowhere")


@pytest.mark.parametrize(("model", "passages"), [("another", 50), ("a model", 51)])
def test_an_index_of_another_run_is_refused(tmp_path: Path, model: str, passages: int) -> None:
    index.build(unit(50, 9), "a model", tmp_path / "index")
    with pytest.raises(DataError, match=r"50 vectors of model a model, .* `dvc repro` builds"):
        index.load(model, passages, tmp_path / "index")
