"""Exact search by brute force in torch: for dev evaluation and baselines. Needs no faiss.

Q queries, N passages, K retrieved, D width.
"""

from __future__ import annotations

import numpy as np
import torch

from twotower.towers.similarity import similarity

BLOCK_SCORES = 2**28
"""Scores held at once: 1 GiB."""


@torch.inference_mode()
def search(
    queries_QD: np.ndarray, passages_ND: np.ndarray, k: int, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Give scores float32 (Q, K) and passage rows int64 (Q, K), best first; K = min(k, N).

    kind: the similarity that the vectors were finished for.
    """
    k = min(k, len(passages_ND))
    passages = torch.from_numpy(passages_ND)
    block_queries = max(1, min(256, BLOCK_SCORES // max(1, len(passages_ND))))
    found = [
        similarity(block, passages, kind).topk(k, dim=1)
        for block in torch.from_numpy(queries_QD).split(block_queries)
    ]
    scores = torch.cat([part.values for part in found]).numpy()
    return scores, torch.cat([part.indices for part in found]).numpy()
