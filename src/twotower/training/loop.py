"""The training loop: epochs over all pairs, a dev evaluation after each, the best one kept.

It knows nothing of DVC or MLflow: what happens goes to a callback, what results is given back. Same
inputs and seed on the same machine give the same weights, bit for bit, however often the training
was killed and taken up again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from twotower.progress import progress
from twotower.towers.model import TwoTowers
from twotower.towers.table import Table
from twotower.training import dev, watch
from twotower.training.checkpoint import Keeper, State, put_weights, weights_of
from twotower.training.negatives import own_lists
from twotower.training.optimiser import Optimiser
from twotower.training.pairs import epoch_batches
from twotower.training.settings import Settings
from twotower.training.step import Material, Stepper

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
    material: Material,
    dev_set: dev.DevSet,
    settings: Settings,
    *,
    report: Report,
    keeper: Keeper,
) -> Result:
    """Train the towers in place and leave them at the epoch with the best dev MRR@10.

    Raises TrainingError at a loss that is no number, CollapseError if an epoch ends collapsed.
    """
    training = _Training(towers, material, dev_set, settings, report=report, keeper=keeper)
    return training.run()


class _Training:
    """One training from start, or from a checkpoint, to end."""

    def __init__(
        self,
        towers: TwoTowers,
        material: Material,
        dev_set: dev.DevSet,
        settings: Settings,
        *,
        report: Report,
        keeper: Keeper,
    ) -> None:
        self.towers = towers.to(settings.device).train()
        self.material, self.dev_set, self.settings = material, dev_set, settings
        self.config, self.report, self.keeper = settings.train, report, keeper
        batches = -(-len(material.pairs) // self.config.batch_size)
        self.optimiser = Optimiser(towers, self.config, batches * self.config.epochs)
        found = keeper.restore(towers, self.optimiser)
        if found is not None:
            log.info("going on in epoch %d, after %d of its steps", found.epoch, found.done)
        self.state = found or self._start()

    def _start(self) -> State:
        quality = dev.evaluate(self.towers, self.dev_set, self.settings)
        self.report(quality, 0)
        return State(epochs=[{"epoch": 0.0, **quality}])

    def run(self) -> Result:
        while self.state.epoch <= self.config.epochs and not self._out_of_patience():
            self._epoch()
        state, start = self.state, self.state.epochs[0]["dev_mrr_at_10"]
        put_weights(self.towers, state.best)
        best = state.epochs[state.best_epoch]["dev_mrr_at_10"]
        if best <= start:
            log.warning(
                "training did not help: dev MRR@10 is %.4f at best, and was %.4f untrained",
                best,
                start,
            )
        return Result(state.steps, state.epochs, state.best_epoch)

    def _out_of_patience(self) -> bool:
        waited = self.state.epoch - 1 - self.state.best_epoch
        return bool(self.config.patience) and waited >= self.config.patience

    def _epoch(self) -> None:
        state, epoch = self.state, self.state.epoch
        self._freeze(epoch)
        self._refresh(epoch)
        self._steps(epoch)
        late = [row for row in state.steps if row["epoch"] == epoch]
        late = late[len(late) // 2 :]
        seen = {key: float(np.mean([row[key] for row in late])) for key in late[0]}
        del seen["step"], seen["epoch"]
        watch.refuse_collapse(seen, epoch, self.config)
        quality = dev.evaluate(self.towers, self.dev_set, self.settings)
        self.report(quality, len(state.steps))
        state.epochs.append({"epoch": float(epoch), **seen, **quality})
        log.info(_line(state.epochs[-1], self.config.epochs))
        best = state.epochs[state.best_epoch]["dev_mrr_at_10"] if state.best_epoch else -1.0
        if quality["dev_mrr_at_10"] > best:
            state.best_epoch = epoch
            state.best = {
                name: each.clone() for name, each in weights_of(self.towers, self.optimiser).items()
            }
        state.epoch, state.done = epoch + 1, 0
        self.keeper.save_if_due(self.towers, self.optimiser, state)

    def _steps(self, epoch: int) -> None:
        """Take the epoch's steps that are not done."""
        state, settings, pairs = self.state, self.settings, self.material.pairs
        sources = self.material.sources
        if state.own is not None:
            sources = replace(sources, own=state.own)
        stepper = Stepper(
            self.towers,
            replace(self.material, sources=sources),
            self.config,
            settings.negatives,
            seed=settings.seed,
            device=settings.device,
        )
        order = np.random.default_rng([settings.seed, epoch])
        batches = list(epoch_batches(len(pairs), self.config.batch_size, order))[state.done :]
        started = time.perf_counter()
        left = sum(map(len, batches))
        with progress(len(pairs), "pairs", f"epoch {epoch}", len(pairs) - left) as bar:
            for batch in batches:
                seen = stepper.gradients(batch, epoch, state.done)
                watch.refuse_not_finite(seen["loss"], len(state.steps) + 1)
                seen |= self.optimiser.step(len(state.steps))
                state.steps.append({"step": len(state.steps) + 1.0, "epoch": float(epoch), **seen})
                state.done += 1
                self.report(seen, len(state.steps))
                bar.update(len(batch))
                self.keeper.save_if_due(self.towers, self.optimiser, state)
        rate = left / (time.perf_counter() - started)
        self.report({"pairs_per_s": rate}, len(state.steps))
        log.info("epoch %d: %.0f pairs/s", epoch, rate)

    def _freeze(self, epoch: int) -> None:
        first, moves = self.config.table_from_epoch, self.config.identities_learning_rate > 0
        trained = first != 0 and epoch >= first
        for module in self.towers.modules():
            if isinstance(module, Table):
                module.requires_grad_(trained)
                if module.identities is not None:
                    module.identities.requires_grad_(trained and moves)

    def _refresh(self, epoch: int) -> None:
        """Let the towers find their own negatives, if an epoch for it begins."""
        wanted, pairs = self.settings.negatives, self.material.pairs
        if not wanted.own or self.state.done or (epoch - 1) % wanted.refresh_epochs:
            return
        groups_Q, first = np.unique(pairs.groups, return_index=True)
        rows_QK = dev.search(
            self.towers,
            self.material.texts.queries.take(pairs.query_rows[first]),
            self.material.texts.passages,
            wanted.last_rank,
            self.settings,
        )
        self.state.own = own_lists(wanted, groups_Q, rows_QK, len(pairs.positives.offsets) - 1)


def _line(row: dict[str, float], epochs: int) -> str:
    return (
        f"epoch {row['epoch']:.0f}/{epochs}: loss {row['loss']:.4f}, dev MRR@10 "
        f"{row['dev_mrr_at_10']:.4f}, dev recall@100 {row['dev_recall_at_100']:.4f}, "
        f"off-diagonal cosine {row['off_diagonal_cosine']:.3f}"
    )
