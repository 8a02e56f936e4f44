"""Checkpoints: all state comes back, and a training that was killed ends as one that was not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import toy

from twotower.artifacts import CORPUS, MINED, TOKENS, VOCAB
from twotower.errors import TrainingError
from twotower.files import fingerprint
from twotower.towers.model import TwoTowers
from twotower.training import checkpoint
from twotower.training.checkpoint import Keeper, State, identify, read, weights_of, write
from twotower.training.loop import Result
from twotower.training.optimiser import Optimiser
from twotower.training.pairs import Ragged

KILLS = 15


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where checkpoints go; no artefacts are there, and one is written at every step."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", 1e12)
    return tmp_path / "checkpoints"


def trained(steps: int, seed: int = 3) -> tuple[TwoTowers, Optimiser]:
    """Towers with every kind of weight, and the optimisers after some steps on them."""
    towers = tiny.towers(seed, encoder="gru", residual=True)
    optimiser = Optimiser(towers, dataclasses.replace(tiny.TRAIN, optimiser="adamw"), 10)
    stepper = toy.stepper(towers)
    for number in range(steps):
        stepper.gradients(np.arange(8 * number, 8 * number + 8), 1, number)
        optimiser.step(number)
    return towers, optimiser


def state_of(towers: TwoTowers, optimiser: Optimiser) -> State:
    best = {name: weight + 1 for name, weight in weights_of(towers, optimiser).items()}
    return State(
        epoch=3,
        done=2,
        steps=[{"step": 1.0, "loss": 0.1 + 0.2}],
        epochs=[{"epoch": 0.0, "dev_mrr_at_10": 1 / 3}],
        best_epoch=2,
        best=best,
        own=Ragged(np.array([4, 5, 9]), np.array([0, 2, 2, 3])),
    )


def test_all_state_comes_back(tmp_path: Path) -> None:
    towers, optimiser = trained(3)
    state, file = state_of(towers, optimiser), tmp_path / "state.safetensors"
    write(file, towers, optimiser, state, note="a run's id")
    others, other_optimiser = trained(0, seed=4)
    found = read(file, others, other_optimiser)
    plain = ("epoch", "done", "steps", "epochs", "best_epoch")
    assert all(getattr(found, name) == getattr(state, name) for name in plain)
    for name, weight in weights_of(towers, optimiser).items():
        assert torch.equal(weights_of(others, other_optimiser)[name], weight), name
        assert torch.equal(found.best[name], state.best[name]), name
    assert found.own is not None
    assert found.own.rows.tolist() == [4, 5, 9]
    assert found.own.offsets.tolist() == [0, 2, 2, 3]
    moments = 0
    for part, other in zip(optimiser.parts, other_optimiser.parts, strict=True):
        pairs = zip(part.param_groups, other.param_groups, strict=True)
        for weight, same in (
            each
            for ours, theirs in pairs
            for each in zip(ours["params"], theirs["params"], strict=True)
        ):
            assert part.state[weight].keys() == other.state[same].keys()
            for key, value in part.state[weight].items():
                assert torch.equal(torch.as_tensor(value), torch.as_tensor(other.state[same][key]))
                moments += key != "step"
            assert int(other.state[same]["step"]) == 3
    assert moments == 2 * len(list(towers.parameters()))


def test_what_is_not_there_yet_stays_away(tmp_path: Path) -> None:
    towers, optimiser = trained(0)
    write(tmp_path / "file", towers, optimiser, State())
    found = read(tmp_path / "file", *trained(2))
    assert found == State()


def test_a_keeper_keeps_its_note_and_removes_its_file(folder: Path) -> None:
    towers, optimiser = trained(1)
    keeper = Keeper(folder, "settings")
    assert keeper.note == ""
    assert keeper.restore(towers, optimiser) is None
    keeper.note = "run 7"
    keeper.save_if_due(towers, optimiser, State(epoch=4))
    again = Keeper(folder, "settings")
    assert again.note == "run 7"
    state = again.restore(towers, optimiser)
    assert state is not None
    assert state.epoch == 4
    again.remove()
    assert list(folder.iterdir()) == []
    again.remove()


def test_a_checkpoint_is_written_only_when_it_is_due(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing takes 2 s and may cost a tenth of the time: the next one is due 20 s later."""
    clock, towers_and_optimiser = [100.0], trained(0)
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", 0.1)
    written = []

    def slow_write(*content: Any) -> None:
        written.append(clock[0])
        clock[0] += 2

    monkeypatch.setattr(checkpoint, "write", slow_write)
    keeper = Keeper(folder)
    for now in (100, 103, 121, 122, 130, 144):
        clock[0] = now
        keeper.save_if_due(*towers_and_optimiser, State())
    assert written == [100, 122, 144]


def test_a_keeper_without_a_folder_does_nothing(tmp_path: Path) -> None:
    towers, optimiser = trained(0)
    keeper = Keeper()
    keeper.save_if_due(towers, optimiser, State())
    assert keeper.restore(towers, optimiser) is None
    keeper.remove()
    assert list(tmp_path.iterdir()) == []


class KilledError(BaseException):
    """What ends a process from outside: nothing may catch it."""


def train_killed(
    folder: Path, model: dict[str, Any], **changes: Any
) -> tuple[TwoTowers, Result, list[int]]:
    """Train, with fresh objects after each of KILLS kills, at whatever is being reported.

    Gives the step of the first report of each attempt too.
    """
    generator, begun = np.random.default_rng(0), []

    def report(seen: dict[str, float], step: int) -> None:
        begun[-1] = step if begun[-1] < 0 else begun[-1]
        if step and len(begun) <= KILLS and generator.random() < 0.4:
            raise KilledError

    while True:
        begun.append(-1)
        torch.manual_seed(len(begun))  # nothing may follow from it
        towers, keeper = tiny.towers(**model), Keeper(folder, model, changes)
        try:
            result = toy.run(towers, report=report, keeper=keeper, **changes)
        except KilledError:
            continue
        keeper.remove()
        return towers, result, begun


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ({}, {"chunk_size": 5, "halvings": 1, "hardness": "random", "decay": "cosine"}),
        (
            {"encoder": "lstm", "dropout": 0.3, "layers": 2, "bidirectional": False, "anchor": 0.0},
            {"loss": "softmax", "clip_norm": 0.5},
        ),
        (
            {"encoder": "gru", "residual": True, "dropout": 0.3},
            {"table_from_epoch": 3, "patience": 1, "optimiser": "adamw", "weight_decay": 0.1},
        ),
    ],
    ids=["average", "lstm", "residual"],
)
def test_a_training_killed_many_times_ends_as_one_that_was_not(
    model: dict[str, Any],
    changes: dict[str, Any],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The code may be edited while this runs, which would rightly be another training.
    monkeypatch.setattr(checkpoint, "identify", lambda *parts: "training")
    brought = {"random": 1, "own": 2, "refresh_epochs": 2}
    changes = {"epochs": 4, "brought": brought, **changes}
    whole = tiny.towers(**model)
    expected = toy.run(whole, **changes)
    towers, result, begun = train_killed(folder, model, **changes)
    assert len(begun) == KILLS + 1
    assert len(set(begun)) > KILLS / 3, "many kills came after some progress"
    assert begun == sorted(begun), "which was never lost"
    assert result == expected
    assert len(result.epochs) > 2
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, towers.state_dict()[name]), name
    assert list(folder.iterdir()) == [], "the checkpoint is removed, with all that was beside it"


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch

    towers, optimiser = trained(1)
    keeper = Keeper(folder)
    keeper.save_if_due(towers, optimiser, State(done=1))

    def half_written(tensors: object, file: Path, header: object) -> None:
        file.write_bytes(b"half")
        raise KilledError

    monkeypatch.setattr(safetensors.torch, "save_file", half_written)
    with pytest.raises(KilledError):
        keeper.save_if_due(towers, optimiser, State(done=2))
    state = Keeper(folder).restore(towers, optimiser)
    assert state is not None
    assert state.done == 1


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_named(share: float, folder: Path) -> None:
    towers, optimiser = trained(1)
    keeper = Keeper(folder)
    keeper.save_if_due(towers, optimiser, State())
    assert keeper.file is not None
    content = keeper.file.read_bytes()
    keeper.file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TrainingError) as refused:
        keeper.restore(towers, optimiser)
    assert str(refused.value).startswith(f"{keeper.file}: the checkpoint cannot be read")
    with pytest.raises(TrainingError, match="remove it to train from the start"):
        Keeper(folder)


def test_another_training_never_takes_a_checkpoint_up(folder: Path) -> None:
    towers, optimiser = trained(1)
    settings = toy.settings()
    Keeper(folder, settings).save_if_due(towers, optimiser, State())
    assert Keeper(folder, toy.settings()).restore(towers, optimiser) is not None
    others = (
        toy.settings(margin=0.31),
        toy.settings({"random": 1}),
        dataclasses.replace(settings, seed=6),
        dataclasses.replace(settings, device=torch.device("meta")),
        dataclasses.replace(settings, model=dataclasses.replace(tiny.MODEL, dropout=0.1)),
    )
    for other in others:
        assert Keeper(folder, other).restore(towers, optimiser) is None, other


@pytest.mark.parametrize("path", [CORPUS, VOCAB, TOKENS, MINED])
def test_other_data_is_another_training(path: Path) -> None:
    before = identify("settings")
    path.mkdir(parents=True)
    assert identify("settings") == before, "an empty folder is as none"
    (path / "a").write_text("1")
    first = identify("settings")
    (path / "a").write_text("2")
    assert len({before, first, identify("settings")}) == 3


def test_other_threads_are_another_training() -> None:
    """Sums of floats follow from their order, and so from the number of threads."""
    threads, before = torch.get_num_threads(), identify()
    try:
        torch.set_num_threads(threads + 1)
        assert identify() != before
    finally:
        torch.set_num_threads(threads)
    assert identify() == before


def test_the_fingerprint_of_a_missing_folder_is_that_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert fingerprint(tmp_path / "missing") == fingerprint(tmp_path / "empty")


def test_a_checkpoint_that_cannot_be_written_costs_no_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write", full)
    towers, optimiser = trained(1)
    Keeper(folder, "a").save_if_due(towers, optimiser, state_of(towers, optimiser))
    assert "no checkpoint: [Errno 28] No space left on device" in caplog.text


def test_the_rows_of_a_long_training_fit(tmp_path: Path) -> None:
    """A header of safetensors holds 100 MB at most."""
    towers, optimiser = trained(1)
    state, file = state_of(towers, optimiser), tmp_path / "state.safetensors"
    row = {f"measured_{number}": 0.123456789012345 for number in range(1000)}
    state.steps = [row] * 4000
    write(file, towers, optimiser, state)
    assert file.stat().st_size > 100_000_000
    assert read(file, *trained(0)).steps[-1] == row
