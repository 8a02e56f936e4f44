"""The one similarity of the system: training, dev evaluation and the index all score with it.

Q queries, N passages, D width of a vector.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def finish(vectors_BD: Tensor, kind: str, width: int = 0) -> Tensor:
    """Give float32 vectors ready to be scored: the first `width` numbers (0: all).

    For a cosine they get length 1; a row of zeros stays zeros.
    """
    cut_BD = vectors_BD.float()[:, : width or None]
    return functional.normalize(cut_BD, dim=-1) if kind == "cosine" else cut_BD


def similarity(queries_QD: Tensor, passages_ND: Tensor, kind: str) -> Tensor:
    """Score every query against every passage, the higher the nearer: (Q, N).

    cosine and dot: the inner product of finished vectors; euclidean: the distance, negative.
    """
    if kind == "euclidean":
        return -_distance(queries_QD, passages_ND)
    return queries_QD @ passages_ND.T


def _distance(queries_QD: Tensor, passages_ND: Tensor) -> Tensor:
    """Give the distances (Q, N); the floor under the root keeps its gradient finite at 0."""
    square_QN = (
        queries_QD.square().sum(1, keepdim=True)
        + passages_ND.square().sum(1)
        - 2 * queries_QD @ passages_ND.T
    )
    return square_QN.clamp_min(1e-12).sqrt()
