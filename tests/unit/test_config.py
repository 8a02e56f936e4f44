"""params.yaml: every problem is named at once, with its key and what is legal."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml

from twotower import config, contradictions, params
from twotower.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    return loaded


def change(content: dict[str, Any], changes: dict[str, object]) -> dict[str, Any]:
    """Set values by their dotted names."""
    for name, value in changes.items():
        section, _, key = name.rpartition(".")
        (content[section] if section else content)[key] = value
    return content


def load(content: object, folder: Path) -> config.Params:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return params.load(path)


def test_the_committed_file_is_legal_and_nothing_in_it_is_hidden() -> None:
    text = (ROOT / "params.yaml").read_text()
    flat = config.flatten(params.load(ROOT / "params.yaml"))
    assert flat["train.margin"] == 0.02
    for name in flat:
        assert f"{name.rpartition('.')[2]}:" in text


def test_every_key_of_the_committed_file_has_a_comment_above_it() -> None:
    lines = (ROOT / "params.yaml").read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        is_value = line.partition(":")[2].strip() and not line.strip().startswith("#")
        assert not is_value or above.strip().startswith("#"), line


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train.margn", 0.5, "train.margn: unknown key; did you mean train.margin?"),
        ("train.zzz", 0.5, "train.zzz: unknown key; known: loss, hardness, margin"),
        ("train.epochs", "abc", "train.epochs: 'abc' is not of type int; legal: from 1 to 10000"),
        ("train.epochs", True, "train.epochs: True is not of type int"),
        ("train.epochs", 2.5, "train.epochs: 2.5 is not of type int"),
        ("train.margin", -0.1, "train.margin: -0.1 is not legal; legal: from 0 to 100"),
        ("train.margin", float("nan"), "train.margin: nan is not legal"),
        ("train.temperature", 0, "train.temperature: 0.0 is not legal; legal: above 0 to 10"),
        ("train.learning_rate", None, "train.learning_rate: None is not of type float"),
        ("train.both_directions", 1, "train.both_directions: 1 is not of type bool; legal: true |"),
        ("train.loss", "hinge", "train.loss: 'hinge' is not legal; legal: triplet | softmax"),
        ("model.similarity", "l2", "'l2' is not legal; legal: cosine | dot | euclidean"),
        ("negatives.bm52", 1, "negatives.bm52: unknown key; did you mean negatives.bm25?"),
        ("negatives.max_score", 1.5, "negatives.max_score: 1.5 is not legal; legal: from 0 to 1"),
        ("mine.depth", 10_001, "mine.depth: 10001 is not legal; legal: from 0 to 10000"),
        ("embed.width", -1, "embed.width: -1 is not legal; legal: from 0 to 100000"),
        ("tracking.experiment", " ", "' ' is not legal; legal: a text that is not empty"),
    ],
)
def test_one_wrong_value(
    content: dict[str, Any], tmp_path: Path, name: str, value: object, message: str
) -> None:
    change(content, {name: value})
    with pytest.raises(ConfigError, match=r"params\.yaml: 1 problem") as error:
        load(content, tmp_path)
    assert message in str(error.value)


def test_all_problems_are_named_at_once(content: dict[str, Any], tmp_path: Path) -> None:
    del content["seed"]
    content["train"]["loss"] = "hinge"
    content["model"] = 3
    content["indx"] = {}
    del content["negatives"]["own"]
    del content["mine"]
    with pytest.raises(ConfigError) as error:
        load(content, tmp_path)
    for part in ("6 problem", "seed: missing", "train.loss", "model: 3 is not a section", "indx"):
        assert part in str(error.value)
    for part in ("negatives.own: missing", "mine: missing"):
        assert part in str(error.value)


@pytest.mark.parametrize("text", ["1e-05", "1E-5", "0.00001", "1.0e-5"])
def test_floats_as_dvc_writes_them(content: dict[str, Any], tmp_path: Path, text: str) -> None:
    content["train"]["learning_rate"] = "PLACE"
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content).replace("PLACE", text))
    assert params.load(path).train.learning_rate == 1e-5


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
        params.load(path)
    with pytest.raises(ConfigError, match="not found"):
        params.load(tmp_path / "none.yaml")


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    """PyYAML would silently take the second."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("  margin: 0.02\n", "  margin: 0.02\n  margin: 0.5\n"))
    line = path.read_text().splitlines().index("  margin: 0.5") + 1
    with pytest.raises(ConfigError, match=f"line {line}: key margin stands twice"):
        params.load(path)


KEPT = {"vocab.stop_words": "keep"}
WORDPIECES = {"vocab.unit": "wordpieces", "vocab.identity": "word", **KEPT}
LSTM = {"model.encoder": "lstm", "model.anchor": 0.0, "model.residual": False}
BESIDE_LSTM = {**LSTM, "model.query_encoder": "average", "model.share": "table"}
NO_OWN_PART = {"model.vector_scale": 0.0}


@pytest.mark.parametrize(
    ("changes", "message", "mended"),
    [
        (
            {"vectors.width": 64},
            "vectors.width: sample has none of 64 numbers; legal: 50",
            {"vectors.width": 50},
        ),
        (
            {"vectors.source": "glove-6B", "vectors.width": 150},
            "vectors.width: glove-6B has none of 150 numbers; legal: 50 | 100 | 200 | 300",
            {"vectors.width": 300},
        ),
        (
            WORDPIECES,
            "vectors.source is sample; set it to local",
            {"vectors.source": "local"},
        ),
        (
            {"vocab.unit": "characters", **KEPT},
            "vocab.identity: characters have no stem; set it to word",
            {"vocab.identity": "word"},
        ),
        (
            {"model.query_encoder": "gru"},
            "model.query_encoder: another one than model.encoder cannot share towers",
            {"model.query_encoder": "average"},
        ),
        (
            BESIDE_LSTM,
            "model.projection: the towers' vectors have 256 and 2098 numbers",
            {"model.projection": 64},
        ),
        (
            {"model.vector_scale": 0.0, "model.random_dims": 0, "model.anchor": 0.0},
            "model.vector_scale: 0 without random dimensions makes every vector zeros",
            {"model.random_dims": 1},
        ),
        (
            {**LSTM, **NO_OWN_PART},
            "model.reads: pretrained vectors of length 0 (model.vector_scale) tell nothing",
            {"model.reads": "all"},
        ),
        (
            {**BESIDE_LSTM, **NO_OWN_PART, "model.projection": 64},
            "model.reads: pretrained vectors of length 0",
            {"model.reads": "all"},
        ),
        (
            {"vocab.unit": "characters", "vocab.identity": "word"},
            "vocab.stop_words: characters are no words; set it to keep",
            KEPT,
        ),
        (
            {"model.token_weights": "none"},
            "vocab.stop_words: words weigh all alike",
            KEPT,
        ),
        (
            {"model.random_dims": 0},
            "model.anchor: it needs a cosine, random dimensions",
            {"model.anchor": 0},
        ),
        ({"model.similarity": "dot"}, "model.anchor: it needs a cosine", {"model.anchor": 0}),
        ({"model.projection": 64}, "model.anchor: it needs a cosine", {"model.anchor": 0}),
        ({"model.layer_norm": True}, "model.anchor: it needs a cosine", {"model.anchor": 0}),
        (
            {"train.loss": "triplet", "train.margin": 0},
            "train.margin: 0 is met by towers",
            {"train.loss": "softmax"},
        ),
        (
            {"model.token_weights": "idf", "train.table_from_epoch": 2},
            "train.table_from_epoch: nothing is left to train in the first epoch",
            {"train.table_from_epoch": 1},
        ),
        (
            {"model.token_weights": "idf", "model.vector_scale": 0, "model.reads": "all"},
            "train.table_from_epoch: nothing is left to train",
            {"train.identities_learning_rate": 0.001},
        ),
        ({"negatives.bm25": 1}, "negatives.bm25: needs mine.depth above 0", {"mine.depth": 1}),
        (
            {"negatives.first_rank": 61},
            "negatives.first_rank: is below last_rank in the list",
            {"negatives.last_rank": 61},
        ),
    ],
)
def test_values_that_cannot_go_together(
    content: dict[str, Any],
    tmp_path: Path,
    changes: dict[str, object],
    message: str,
    mended: dict[str, object],
) -> None:
    """Each is the one problem of its file, and is none after the change that it asks for."""
    with pytest.raises(ConfigError, match=r"params\.yaml: 1 problem") as error:
        load(change(content, changes), tmp_path)
    assert message in str(error.value)
    load(change(content, mended), tmp_path)


def test_contradictions_of_all_sections_are_named_at_once(
    content: dict[str, Any], tmp_path: Path
) -> None:
    triplet = {"train.loss": "triplet", "train.margin": 0}
    change(content, {"vectors.width": 64, "model.similarity": "dot", **triplet})
    with pytest.raises(ConfigError, match="3 problem") as error:
        load(content, tmp_path)
    for part in ("vectors.width", "model.anchor", "train.margin"):
        assert part in str(error.value)


@pytest.mark.parametrize("encoder", ["average", "lstm"])
@pytest.mark.parametrize("changes", [{}, {"bidirectional": False}, {"residual": True}])
def test_the_width_that_is_checked_is_the_towers(encoder: str, changes: dict[str, bool]) -> None:
    plain = {"encoder": encoder, "anchor": 0.0, **changes}
    model = dataclasses.replace(tiny.MODEL, **plain)  # type: ignore[arg-type]
    expected = 10 if encoder == "average" or model.residual else 5 * (1 + model.bidirectional)
    assert contradictions.encoder_width(encoder, model, vector_width=4) == expected
    assert tiny.towers(**plain).width == expected
