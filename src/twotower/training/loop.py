"""The training loop: epochs over all pairs, a dev evaluation after each, the best one kept.

It knows nothing of files, DVC or MLflow: what happens goes to a callback, what results is given
back. Same inputs and seed on the same machine give the same weights, bit for bit.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from twotower.config import Train
from twotower.devices import autocast
from twotower.progress import progress
from twotower.towers.encode import to_tensors
from twotower.towers.losses import LOSSES
from twotower.towers.model import TwoTowers, similarity
from twotower.training import dev, watch
from twotower.training.pairs import Pairs, Texts, epoch_batches, false_negatives

log = logging.getLogger(__name__)

Report = Callable[[dict[str, float], int], None]
"""Called with measurements and the step they belong to."""


@dataclass(frozen=True)
class Result:
    """What training leaves besides the weights."""

    steps: list[dict[str, float]]
    """One row a step, without times: the same on every run."""
    epochs: list[dict[str, float]]
    """One row an epoch, epoch 0 being the untrained start: means of the steps, dev quality."""
    best_epoch: int


def train(
    towers: TwoTowers,
    pairs: Pairs,
    texts: Texts,
    dev_set: dev.DevSet,
    config: Train,
    *,
    seed: int,
    device: torch.device,
    batch_tokens: int,
    report: Report,
) -> Result:
    """Train the towers in place and leave them at the epoch with the best dev MRR@10.

    Raises TrainingError at a loss that is no number, CollapseError if an epoch ends collapsed.
    """
    towers.to(device).train()
    trainer = _Trainer(towers, pairs, texts, config, device=device, report=report)
    quality = dev.evaluate(towers, dev_set, device, batch_tokens)
    report(quality, 0)
    epochs, best, weights = [{"epoch": 0.0, **quality}], -1.0, {}
    generator = np.random.default_rng(seed)
    for epoch in range(1, config.epochs + 1):
        seen = trainer.epoch(epoch, generator)
        watch.refuse_collapse(seen, epoch, config)
        quality = dev.evaluate(towers, dev_set, device, batch_tokens)
        report(quality, len(trainer.steps))
        epochs.append({"epoch": float(epoch), **seen, **quality})
        log.info(_line(epochs[-1], config.epochs))
        if quality["dev_mrr_at_10"] > best:
            best, weights = quality["dev_mrr_at_10"], copy.deepcopy(towers.state_dict())
    towers.load_state_dict(weights)
    best_epoch = max(range(1, len(epochs)), key=lambda epoch: epochs[epoch]["dev_mrr_at_10"])
    if best <= epochs[0]["dev_mrr_at_10"]:
        log.warning(
            "training did not help: dev MRR@10 is %.4f at best, and was %.4f untrained",
            best,
            epochs[0]["dev_mrr_at_10"],
        )
    return Result(trainer.steps, epochs, best_epoch)


class _Trainer:
    """One model, its optimiser and the steps taken so far."""

    def __init__(
        self,
        towers: TwoTowers,
        pairs: Pairs,
        texts: Texts,
        config: Train,
        *,
        device: torch.device,
        report: Report,
    ) -> None:
        self.towers, self.pairs, self.texts = towers, pairs, texts
        self.config, self.device, self.report = config, device, report
        trained = [weight for weight in towers.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.Adam(trained, lr=config.learning_rate, fused=True)
        self.steps: list[dict[str, float]] = []

    def epoch(self, epoch: int, generator: np.random.Generator) -> dict[str, float]:
        """Take a step a batch; give the means of what was seen over the epoch's second half."""
        first, started = len(self.steps), time.perf_counter()
        with progress(len(self.pairs), "pairs", f"epoch {epoch}") as bar:
            for batch in epoch_batches(len(self.pairs), self.config.batch_size, generator):
                seen = self.step(batch)
                watch.refuse_not_finite(seen["loss"], len(self.steps))
                self.steps.append({"step": float(len(self.steps) + 1), **seen})
                self.report(seen, len(self.steps))
                bar.update(len(batch))
        rate = len(self.pairs) / (time.perf_counter() - started)
        self.report({"pairs_per_s": rate}, len(self.steps))
        log.info("epoch %d: %.0f pairs/s", epoch, rate)
        late = self.steps[(first + len(self.steps)) // 2 :]
        return {key: float(np.mean([row[key] for row in late])) for key in late[0] if key != "step"}

    def step(self, batch: np.ndarray) -> dict[str, float]:
        """Take one step of the optimiser on a batch of pairs."""
        queries = to_tensors(self.texts.queries.take(self.pairs.query_rows[batch]), self.device)
        passages = to_tensors(self.texts.passages.take(self.pairs.passage_rows[batch]), self.device)
        ignored_BB = false_negatives(self.pairs, batch, self.device)
        with autocast(self.config.precision, self.device):
            queries_BD = self.towers.queries(*queries)
            passages_BD = self.towers.passages(*passages)
            scores_BB = similarity(queries_BD, passages_BD)
        scores_BB = scores_BB.float()
        loss = LOSSES[self.config.loss](scores_BB, ignored_BB, self.config)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return watch.observe(
            loss, scores_BB, ignored_BB, queries_BD, passages_BD, config=self.config
        )


def _line(row: dict[str, float], epochs: int) -> str:
    return (
        f"epoch {row['epoch']:.0f}/{epochs}: loss {row['loss']:.4f}, dev MRR@10 "
        f"{row['dev_mrr_at_10']:.4f}, dev recall@100 {row['dev_recall_at_100']:.4f}, "
        f"off-diagonal cosine {row['off_diagonal_cosine']:.3f}"
    )
