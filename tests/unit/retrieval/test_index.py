"""The FAISS index finds what brute force finds, with the one similarity of the system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from twotower.errors import DataError
from twotower.retrieval import exact, index
from twotower.towers.similarity import finish, similarity

K = 10


ORIGIN = {"model": "a model", "similarity": "cosine"}
KINDS = ["cosine", "dot", "euclidean"]


def vectors(rows: int, seed: int, kind: str = "cosine", width: int = 8) -> np.ndarray:
    """Random vectors of many lengths, made ready for a similarity."""
    generator = np.random.default_rng(seed)
    raw = generator.standard_normal((rows, width)) * generator.uniform(0.2, 3, (rows, 1))
    return finish(torch.from_numpy(raw), kind).numpy()


def by_index(
    queries: np.ndarray, passages: np.ndarray, k: int, folder: Path, kind: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    index.build(passages, {"model": "a model", "similarity": kind}, folder / "index")
    return index.load("a model", len(passages), folder / "index").search(queries, k)


def brute_force(
    queries: np.ndarray, passages: np.ndarray, k: int, kind: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    queries, passages = queries.astype(np.float64), passages.astype(np.float64)
    scores = queries @ passages.T
    if kind == "euclidean":
        scores = -np.linalg.norm(queries[:, None] - passages[None], axis=2)
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, rows, axis=1), rows


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_flat_is_exact_is_brute_force(seed: int, kind: str, tmp_path: Path) -> None:
    queries, passages = vectors(30, seed, kind), vectors(500, seed + 100, kind)
    scores, rows = brute_force(queries, passages, K, kind)
    for found_scores, found_rows in (
        by_index(queries, passages, K, tmp_path, kind),
        exact.search(queries, passages, K, kind),
    ):
        assert found_scores == pytest.approx(scores, abs=1e-5)
        assert found_rows.tolist() == rows.tolist()
        assert (found_scores.dtype, found_rows.dtype) == (np.float32, np.int64)
        assert (np.diff(found_scores, axis=1) <= 0).all()


def test_the_similarities_differ_on_these_vectors() -> None:
    raw = [vectors(30, 0, "dot"), vectors(500, 100, "dot")]
    rows = [exact.search(raw[0], raw[1], 1, kind)[1].tolist() for kind in ("dot", "euclidean")]
    unit = exact.search(vectors(30, 0), vectors(500, 100), 1, "cosine")[1].tolist()
    assert rows[0] != rows[1] != unit != rows[0]


@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
def test_a_passage_that_is_the_query_is_found_first(kind: str, tmp_path: Path) -> None:
    """Its distance is 0, which rounding must not turn into the root of a negative number."""
    passages = 50 + vectors(40, 3, kind) if kind == "euclidean" else vectors(40, 3)
    scores, rows = by_index(passages, passages, 3, tmp_path, kind)
    assert rows[:, 0].tolist() == list(range(40))
    assert scores[:, 0] == pytest.approx(np.full(40, 0.0 if kind == "euclidean" else 1.0), abs=0.2)
    assert np.isfinite(scores).all()


def test_with_ties_the_same_passages_are_found(tmp_path: Path) -> None:
    queries, distinct = vectors(20, 1), vectors(60, 2)
    passages = np.concatenate([distinct, distinct[::-1], distinct])
    scores, _ = brute_force(queries, passages, K)
    for found_scores, found_rows in (
        by_index(queries, passages, K, tmp_path),
        exact.search(queries, passages, K, "cosine"),
    ):
        assert found_scores == pytest.approx(scores, abs=1e-6)
        # 10 = three times three equal passages, and one of the next three
        above = [set(rows[:9]) for rows in found_rows]
        _, expected = brute_force(queries, passages, 9)
        assert above == [set(rows) for rows in expected]
        assert all(len(set(rows)) == K for rows in found_rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_index_computes_similarity(tmp_path: Path, kind: str) -> None:
    queries, passages = vectors(7, 3, kind), vectors(40, 4, kind)
    scores, rows = by_index(queries, passages, 40, tmp_path, kind)
    expected = similarity(torch.from_numpy(queries), torch.from_numpy(passages), kind).numpy()
    assert scores == pytest.approx(np.take_along_axis(expected, rows, axis=1), abs=1e-5)


def test_k_larger_than_the_pool_gives_the_pool(tmp_path: Path) -> None:
    queries, passages = vectors(3, 5), vectors(6, 6)
    expected, _ = brute_force(queries, passages, 6)
    for scores, rows in (
        by_index(queries, passages, 1000, tmp_path),
        exact.search(queries, passages, 1000, "cosine"),
    ):
        assert scores == pytest.approx(expected, abs=1e-6)
        assert np.sort(rows, axis=1).tolist() == [list(range(6))] * 3


def test_no_queries_give_no_rows(tmp_path: Path) -> None:
    none, passages = np.zeros((0, 8), np.float32), vectors(6, 6)
    assert by_index(none, passages, 4, tmp_path)[1].shape == (0, 4)
    assert exact.search(none, passages, 4, "cosine")[1].shape == (0, 4)


def test_blocks_of_exact_search_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, passages = vectors(11, 7), vectors(50, 8)
    scores, rows = exact.search(queries, passages, K, "cosine")
    monkeypatch.setattr(exact, "BLOCK_SCORES", 120)  # two queries a block
    in_blocks = exact.search(queries, passages, K, "cosine")
    assert in_blocks[0] == pytest.approx(scores, abs=1e-6)
    assert in_blocks[1].tolist() == rows.tolist()


def test_the_same_vectors_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passages = vectors(50, 9)
    index.build(passages, ORIGIN, tmp_path / "one")
    monkeypatch.setattr(index, "BLOCK_ROWS", 7)
    index.build(np.asfortranarray(passages), ORIGIN, tmp_path / "two")
    one, two = ((tmp_path / name / index.FILE).read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_loaded_index_is_mapped_and_not_read_into_memory(tmp_path: Path) -> None:
    index.build(vectors(50, 9), ORIGIN, tmp_path / "index")
    assert not index.load("a model", 50, tmp_path / "index").vectors.codes.is_owned


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_index_knows_its_width_and_similarity(tmp_path: Path, kind: str) -> None:
    index.build(vectors(50, 9, kind, width=5), {**ORIGIN, "similarity": kind}, tmp_path / "index")
    found = index.load("a model", 50, tmp_path / "index")
    assert (found.width, found.similarity) == (5, kind)


def test_a_missing_index_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in stage index"):
        index.load("a model", 50, tmp_path / "nowhere")


@pytest.mark.parametrize(("model", "passages"), [("another", 50), ("a model", 51)])
def test_an_index_of_another_run_is_refused(tmp_path: Path, model: str, passages: int) -> None:
    index.build(vectors(50, 9), ORIGIN, tmp_path / "index")
    with pytest.raises(DataError, match=r"50 vectors of model a model, .* `dvc repro` builds"):
        index.load(model, passages, tmp_path / "index")
