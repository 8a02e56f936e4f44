"""params.yaml: every problem is named at once, with its key and what is legal."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from twotower import config
from twotower.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    return loaded


def load(content: object, folder: Path) -> config.Params:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return config.load(path)


def test_the_committed_file_is_legal_and_nothing_in_it_is_hidden() -> None:
    text = (ROOT / "params.yaml").read_text()
    flat = config.flatten(config.load(ROOT / "params.yaml"))
    assert flat["train.margin"] == 0.4
    for name in flat:
        assert f"{name.rpartition('.')[2]}:" in text


def test_every_key_of_the_committed_file_has_a_comment_above_it() -> None:
    lines = (ROOT / "params.yaml").read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        is_value = line.partition(":")[2].strip() and not line.strip().startswith("#")
        assert not is_value or above.strip().startswith("#"), line


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("margn", 0.5, "train.margn: unknown key; did you mean train.margin?"),
        ("zzz", 0.5, "train.zzz: unknown key; known: loss, margin"),
        ("epochs", "abc", "train.epochs: 'abc' is not of type int; legal: from 1 to 10000"),
        ("epochs", True, "train.epochs: True is not of type int"),
        ("epochs", 2.5, "train.epochs: 2.5 is not of type int"),
        ("margin", 0, "train.margin: 0.0 is not legal; legal: above 0 to 2"),
        ("margin", float("nan"), "train.margin: nan is not legal"),
        ("learning_rate", None, "train.learning_rate: None is not of type float"),
        ("loss", "hinge", "train.loss: 'hinge' is not legal; legal: margin | softmax"),
    ],
)
def test_one_wrong_value(
    content: dict[str, Any], tmp_path: Path, key: str, value: object, message: str
) -> None:
    content["train"][key] = value
    with pytest.raises(ConfigError, match=r"params\.yaml: 1 problem") as error:
        load(content, tmp_path)
    assert message in str(error.value)


def test_all_problems_are_named_at_once(content: dict[str, Any], tmp_path: Path) -> None:
    del content["seed"]
    content["train"]["loss"] = "hinge"
    content["model"] = 3
    content["indx"] = {}
    with pytest.raises(ConfigError) as error:
        load(content, tmp_path)
    for part in ("4 problem", "seed: missing", "train.loss", "model: 3 is not a section", "indx"):
        assert part in str(error.value)


@pytest.mark.parametrize("text", ["1e-05", "1E-5", "0.00001", "1.0e-5"])
def test_floats_as_dvc_writes_them(content: dict[str, Any], tmp_path: Path, text: str) -> None:
    content["train"]["learning_rate"] = "PLACE"
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content).replace("PLACE", text))
    assert config.load(path).train.learning_rate == 1e-5


def test_whole_numbers_pass_as_floats_and_whole_floats_as_numbers(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content["train"] |= {"margin": 1, "epochs": 3.0}
    train = load(content, tmp_path).train
    assert (train.margin, train.epochs) == (1.0, 3)
    assert type(train.margin) is float
    assert type(train.epochs) is int


@pytest.mark.parametrize("text", ["", "- a", "seed: [", "\x00"])
def test_files_that_are_no_parameters(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        config.load(path)
    with pytest.raises(ConfigError, match="not found"):
        config.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width: 50", "width: 64", "vectors.width: sample has none of 64 numbers; legal: 50"),
        ("unit: words", "unit: wordpieces", "vectors.source is sample; set it to local"),
    ],
)
def test_values_that_cannot_go_together(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "params.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        config.load(tmp_path / "params.yaml")
