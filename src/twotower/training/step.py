"""One training step: a batch's passages, its scores, its loss and the gradients.

Everything random in a step follows from (seed, epoch, number in the epoch), so a step is the same
whatever ran before it in this process: that is what makes a resumed training exact.

B pairs a batch, N passages of it, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from twotower.artifacts import TokenStore
from twotower.config import Negatives, Train
from twotower.devices import autocast
from twotower.towers.encode import Encode, to_tensors
from twotower.towers.losses import batch_loss
from twotower.towers.model import TwoTowers
from twotower.towers.similarity import finish
from twotower.training import negatives, watch
from twotower.training.pairs import Pairs, Texts, false_negatives

Chunk = Callable[[], Tensor]
"""Encodes some texts of a batch, the same way each time it is called."""


@dataclass(frozen=True)
class Material:
    """What is trained on."""

    pairs: Pairs
    texts: Texts
    sources: negatives.Sources


class Stepper:
    """Computes losses and gradients; the optimiser is not its business."""

    def __init__(
        self,
        towers: TwoTowers,
        material: Material,
        config: Train,
        brought: Negatives,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        """brought: the negatives beside the batch's own passages."""
        self.towers, self.material = towers, material
        self.config, self.brought = config, brought
        self.seed, self.device = seed, device

    def gradients(self, batch_B: np.ndarray, epoch: int, number: int) -> dict[str, float]:
        """Leave a batch's gradients in the towers' weights; give what was observed."""
        draws = np.random.default_rng([self.seed, epoch, number + 1])
        pairs, texts = self.material.pairs, self.material.texts
        passages_N = negatives.draw(self.brought, self.material.sources, pairs, batch_B, draws)
        ignored_BN = torch.from_numpy(false_negatives(pairs, batch_B, passages_N)).to(self.device)
        # Before the chunks, whose number must not change what the loss draws.
        generator = torch.Generator().manual_seed(int(draws.integers(2**63)))
        chunks = [
            *self._chunks(self.towers.queries, texts.queries, pairs.query_rows[batch_B], draws),
            *self._chunks(self.towers.passages, texts.passages, passages_N, draws),
        ]
        if not self.config.chunk_size:
            vectors = torch.cat([chunk() for chunk in chunks])
            return self._backward(vectors, len(batch_B), ignored_BN, generator)
        return self._cached_backward(chunks, len(batch_B), ignored_BN, generator)

    def _cached_backward(
        self, chunks: list[Chunk], size: int, ignored_BN: Tensor, generator: torch.Generator
    ) -> dict[str, float]:
        """Do as `_backward`, holding the intermediate values of one chunk at a time.

        Gradient caching (Gao et al. 2021): vectors first, without a graph; then the loss's gradient
        by the vectors; then each chunk again, with that gradient handed on. Twice the forward cost,
        and the same gradients.
        """
        with torch.no_grad():
            parts = [chunk() for chunk in chunks]
        vectors = torch.cat(parts).requires_grad_()
        seen = self._backward(vectors, size, ignored_BN, generator)
        assert vectors.grad is not None  # noqa: S101
        for chunk, gradient in zip(chunks, vectors.grad.split([*map(len, parts)]), strict=True):
            encoded = chunk()
            if encoded.requires_grad:  # one of the towers may have nothing that is trained
                encoded.backward(gradient)
        return seen

    def _backward(
        self, vectors: Tensor, size: int, ignored_BN: Tensor, generator: torch.Generator
    ) -> dict[str, float]:
        queries_BD, passages_ND = vectors.split([size, len(vectors) - size])
        # In float32 whatever the precision: a temperature divides scores, a distance cancels.
        scores_BN = self.towers.score(queries_BD, passages_ND)
        if self.brought.max_score:
            ignored_BN = ignored_BN | negatives.too_near(scores_BN, self.brought.max_score)
        losses = [batch_loss(scores_BN, ignored_BN, self.config, generator)]
        for halving in range(1, self.config.halvings + 1):
            cut = [self._cut(each, halving) for each in (queries_BD, passages_ND)]
            cut_scores_BN = self.towers.score(*cut)
            losses.append(batch_loss(cut_scores_BN, ignored_BN, self.config, generator))
        loss = torch.stack(losses).mean()
        loss.backward()
        seen = watch.observe(loss.detach(), scores_BN.detach(), ignored_BN, config=self.config)
        # The anchor is the same in all texts of a side by design: it is no sign of a collapse.
        first = 0 if self.towers.passage.anchor is None else 1
        free = [each.detach()[:, first:] for each in (queries_BD, passages_ND)]
        return seen | watch.spread(*free)

    def _cut(self, vectors: Tensor, halving: int) -> Tensor:
        return finish(vectors, self.towers.config.similarity, max(1, vectors.shape[1] >> halving))

    def _chunks(
        self, encoder: Encode, store: TokenStore, rows: np.ndarray, draws: np.random.Generator
    ) -> list[Chunk]:
        """Cut texts into chunks; each draws the same dropout whenever it is encoded."""
        size = self.config.chunk_size or len(rows)

        def chunk(some: np.ndarray, seed: int) -> Tensor:
            torch.manual_seed(seed)
            with autocast(self.config.precision, self.device):
                return encoder(*to_tensors(store.take(some), self.device))

        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        seeds = draws.integers(2**63, size=len(parts)).tolist()
        return [
            lambda some=some, seed=seed: chunk(some, seed)  # type: ignore[misc]
            for some, seed in zip(parts, seeds, strict=True)
        ]
