"""The three similarities by hand, and what vectors must be to be scored."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from twotower.towers.similarity import finish, similarity

QUERIES = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
PASSAGES = torch.tensor([[4.0, 3.0], [0.0, 5.0], [3.0, -4.0]])
KINDS = ("cosine", "dot", "euclidean")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("cosine", [[0.96, 0.8, -0.28], [0.6, 1.0, -0.8]]),
        ("dot", [[24, 20, -7], [6, 10, -8]]),
        (
            "euclidean",
            [[-math.sqrt(2), -math.sqrt(10), -8], [-math.sqrt(17), -3, -math.sqrt(45)]],
        ),
    ],
)
def test_by_hand(kind: str, expected: list[list[float]]) -> None:
    found = similarity(finish(QUERIES, kind), finish(PASSAGES, kind), kind)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))


def test_finish_by_hand() -> None:
    vectors = torch.tensor([[3.0, 4.0, 12.0]])
    assert finish(vectors, "dot").tolist() == finish(vectors, "euclidean").tolist() == [[3, 4, 12]]
    torch.testing.assert_close(finish(vectors, "cosine"), vectors / 13)


def test_finish_cuts_before_it_gives_length_one() -> None:
    vectors = torch.tensor([[3.0, 4.0, 12.0]])
    torch.testing.assert_close(finish(vectors, "cosine", 2), torch.tensor([[0.6, 0.8]]))
    assert finish(vectors, "dot", 2).tolist() == [[3, 4]]


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_stay_zeros_and_the_format_becomes_float32(kind: str) -> None:
    finished = finish(torch.zeros(2, 3, dtype=torch.bfloat16), kind)
    assert finished.dtype == torch.float32
    assert finished.tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite_at_distance_0_and_at_zeros(kind: str) -> None:
    vectors = torch.tensor([[0.0, 0.0], [1.0, 2.0]]).requires_grad_()
    finished = finish(vectors, kind)
    similarity(finished, finished, kind).sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


def test_equal_vectors_are_no_distance_apart() -> None:
    vectors = torch.tensor([[0.1, 0.7, -0.3]])
    assert similarity(vectors, vectors, "euclidean").item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch_pair_by_pair(kind: str) -> None:
    generator = torch.Generator().manual_seed(1)
    queries, passages = (torch.randn(size, 9, generator=generator) for size in (5, 7))
    pair = queries.unsqueeze(1), passages.unsqueeze(0)
    expected = {
        "cosine": functional.cosine_similarity(*pair, dim=2),
        "dot": (pair[0] * pair[1]).sum(2),
        "euclidean": -torch.linalg.vector_norm(pair[0] - pair[1], dim=2),
    }[kind]
    found = similarity(finish(queries, kind), finish(passages, kind), kind)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
