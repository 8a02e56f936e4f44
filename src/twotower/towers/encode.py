"""Encode a whole token store: the one way to get vectors, for dev evaluation, embed and search.

Texts are sorted by length, block by block, and batched under a token budget; each vector is written
to the row of its text, so neither order nor company changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from twotower.artifacts import TokenStore
from twotower.progress import progress

BLOCK_TEXTS = 262_144

Encode = Callable[[Tensor, Tensor], Tensor]
"""(ids_T, lengths_B) -> (B, D)"""


def encode(
    encoder: Encode, store: TokenStore, width: int, device: torch.device, *, batch_tokens: int
) -> np.ndarray:
    """Encode every text of a store in memory: float32 (N, D), row i for text i."""
    out_ND = np.empty((len(store), width), np.float32)
    encode_into(out_ND, encoder, store, device, batch_tokens=batch_tokens)
    return out_ND


@torch.inference_mode()
def encode_into(
    out_ND: np.ndarray,
    encoder: Encode,
    store: TokenStore,
    device: torch.device,
    *,
    batch_tokens: int,
) -> None:
    """Encode every text of a store into the rows of out_ND (float32), a memory map perhaps.

    batch_tokens bounds the memory of one step.
    """
    with progress(len(store), "texts", "encode") as bar:
        for rows in batches_by_length(store.lengths, batch_tokens):
            ids_T, lengths_B = to_tensors(store.take(rows), device)
            out_ND[rows] = encoder(ids_T, lengths_B).float().cpu().numpy()
            bar.update(len(rows))


def to_tensors(store: TokenStore, device: torch.device) -> tuple[Tensor, Tensor]:
    """Give ids (T,) and lengths (B,) of a store as int64 tensors on a device."""
    ids = torch.from_numpy(np.ascontiguousarray(store.ids)).to(device)
    return ids.long(), torch.from_numpy(store.lengths).to(device)


def batches_by_length(
    lengths_N: np.ndarray, batch_tokens: int, block: int = BLOCK_TEXTS
) -> Iterator[np.ndarray]:
    """Give rows in batches of similar length, of at most batch_tokens padded tokens each.

    Longest first within each block of rows: what is read and written stays near together on disk.
    A single text longer than the budget is a batch of its own.
    """
    for first in range(0, len(lengths_N), block):
        lengths = lengths_N[first : first + block]
        order, start = np.argsort(-lengths, kind="stable"), 0
        while start < len(order):
            size = max(1, batch_tokens // int(lengths[order[start]]))
            yield first + order[start : start + size]
            start += size
