"""Checkpoints: all of a training's state in one file, so that a killed one goes on exactly.

The file is replaced whole, never half-written. It lies in scratch space, under a name that follows
from everything the training depends on: what another code, other parameters or other data left
there is never taken up.

    keeper = Keeper(folder, settings)
    state = keeper.restore(towers, optimiser)    # None at a fresh start
    keeper.save_if_due(towers, optimiser, state)
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor

from twotower.artifacts import CORPUS, MINED, TOKENS, VOCAB
from twotower.errors import TrainingError
from twotower.files import fingerprint, writing
from twotower.towers.model import TwoTowers
from twotower.training.optimiser import Optimiser
from twotower.training.pairs import Ragged

log = logging.getLogger(__name__)

SHARE_OF_TIME = 0.1
"""What writing checkpoints may cost, as a share of the time between them."""


@dataclass
class State:
    """How far a training is, besides weights and moments."""

    epoch: int = 1
    """the epoch that is running"""
    done: int = 0
    """its batches that are done"""
    steps: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    """0: none yet"""
    best: dict[str, Tensor] = field(default_factory=dict)
    """weights of the best epoch"""
    own: Ragged | None = None
    """what the towers found themselves, since weights have moved on"""


class Keeper:
    """Writes and reads the one checkpoint of a training; without a folder it does nothing."""

    def __init__(self, folder: Path | None = None, *parts: object) -> None:
        """parts: what the training depends on besides its data and code."""
        self.file = folder and folder / f"{identify(*parts)}.safetensors"
        self.note = _header(self.file)["note"] if self.file and self.file.exists() else ""
        """A word of the caller's, kept with the checkpoint."""
        self._next = time.monotonic()

    def save_if_due(self, towers: TwoTowers, optimiser: Optimiser, state: State) -> None:
        """Write the checkpoint if the last one is long enough ago to keep the share of time."""
        if self.file is None or time.monotonic() < self._next:
            return
        from safetensors import SafetensorError

        began = time.monotonic()
        try:
            write(self.file, towers, optimiser, state, self.note)
        except (SafetensorError, OSError) as error:
            log.warning("no checkpoint: %s; a killed training starts again", error)
        self._next = time.monotonic() + (time.monotonic() - began) / SHARE_OF_TIME

    def restore(self, towers: TwoTowers, optimiser: Optimiser) -> State | None:
        """Take the checkpoint up, if there is one."""
        if self.file is None or not self.file.exists():
            return None
        return read(self.file, towers, optimiser)

    def remove(self) -> None:
        """Remove the checkpoint: the training has ended."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def identify(*parts: object) -> str:
    """Name a training by all that its weights follow from: data, code, library, threads, parts."""
    data = [fingerprint(folder) for folder in (CORPUS, VOCAB, TOKENS, MINED)]
    code = fingerprint(Path(__file__).parents[1], "*.py")
    machine = (torch.__version__, torch.get_num_threads())
    text = "\n".join(map(repr, (*data, code, machine, *parts)))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def weights_of(towers: TwoTowers, optimiser: Optimiser) -> dict[str, Tensor]:
    """Give every weight that training moves by its name, shared ones once: views, not copies."""
    moving = optimiser.moving()
    named = towers.named_parameters()
    return {name: weight.detach() for name, weight in named if id(weight) in moving}


@torch.no_grad()
def put_weights(towers: TwoTowers, weights: dict[str, Tensor]) -> None:
    """Copy weights into the towers; those that are not given stay."""
    for name, weight in towers.named_parameters():
        if name in weights:
            weight.copy_(weights[name])


def write(
    file: Path, towers: TwoTowers, optimiser: Optimiser, state: State, note: str = ""
) -> None:
    """Write all state: tensors as such, the rest as JSON in the file's header."""
    from safetensors.torch import save_file

    tensors = {f"weights.{name}": each for name, each in weights_of(towers, optimiser).items()}
    tensors |= {f"best.{name}": each for name, each in state.best.items()}
    steps = {}
    for part_number, part in enumerate(optimiser.parts):
        for number, of_weight in part.state_dict()["state"].items():
            name = f"moments.{part_number}.{number}"
            steps[name] = int(of_weight["step"])
            tensors |= {f"{name}.{key}": of_weight[key] for key in ("exp_avg", "exp_avg_sq")}
    if state.own is not None:
        tensors["own.rows"] = torch.from_numpy(state.own.rows)
        tensors["own.offsets"] = torch.from_numpy(state.own.offsets)
    names = {each.name for each in fields(State)} - {"best", "own"}
    plain = {name: getattr(state, name) for name in sorted(names)}
    # Not in the header, which has a limit that the rows of a long training exceed.
    tensors["state"] = torch.frombuffer(bytearray(json.dumps(plain).encode()), dtype=torch.uint8)
    header = {"moments": json.dumps(steps), "note": note}
    file.parent.mkdir(parents=True, exist_ok=True)
    with writing(file) as partial:
        save_file(
            {name: each.contiguous().cpu() for name, each in tensors.items()}, partial, header
        )


def _header(file: Path) -> dict[str, str]:
    """Read the header of a checkpoint; raises TrainingError if it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as content:
            header: dict[str, str] = content.metadata()
    except (SafetensorError, OSError) as error:
        raise TrainingError(
            f"{file}: the checkpoint cannot be read ({error}); remove it to train from the start"
        ) from None
    return header


def read(file: Path, towers: TwoTowers, optimiser: Optimiser) -> State:
    """Put weights and moments back, give the state; TrainingError if it cannot be read."""
    from safetensors.torch import load_file

    header, tensors = _header(file), load_file(file)
    put_weights(towers, _under("weights.", tensors))
    steps = json.loads(header["moments"])
    for part_number, part in enumerate(optimiser.parts):
        content_of = part.state_dict()
        content_of["state"] = {
            int(name.split(".")[2]): {
                "step": _step(part, count),
                **_under(f"{name}.", tensors),
            }
            for name, count in steps.items()
            if name.startswith(f"moments.{part_number}.")
        }
        part.load_state_dict(content_of)
    state = State(**json.loads(bytes(tensors["state"].numpy())), best=_under("best.", tensors))
    own = _under("own.", tensors)
    state.own = Ragged(own["rows"].numpy(), own["offsets"].numpy()) if own else None
    return state


def _step(part: torch.optim.Optimizer, count: int) -> int | Tensor:
    """Give the count as the optimiser keeps it."""
    return count if isinstance(part, torch.optim.SparseAdam) else torch.tensor(float(count))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }
