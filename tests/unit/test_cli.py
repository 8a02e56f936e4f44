"""Presets and the command line's own errors; searching is tested on a built pipeline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from twotower import cli, config, params, presets
from twotower.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the committed parameters and presets."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    for name in ("corpus", "vectors"):
        (tmp_path / "data/local" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def slice_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "there/msmarco-slice").mkdir(parents=True)
    (folder / "there/glove.6B.zip").touch()
    monkeypatch.setenv("TWOTOWER_SLICE", "there")


def test_a_preset_changes_its_keys_alone_and_shows_the_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slice_at(folder, monkeypatch)
    before = (folder / "params.yaml").read_text()
    change = presets.apply("slice")
    after = (folder / "params.yaml").read_text()
    assert f"+  folder: {folder}/there/msmarco-slice" in change.splitlines()
    assert "+  source: local" in change.splitlines()
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert {line.split(":")[0].strip() for line in changed} == {
        "source",
        "folder",
        "format",
        "file",
        "repair",
    }
    assert params.load().download.source == "local"


@pytest.mark.parametrize(("other", "default"), [("slice", "sample"), ("lstm", "average")])
def test_the_default_preset_of_a_kind_undoes_it_to_the_byte(
    folder: Path, monkeypatch: pytest.MonkeyPatch, other: str, default: str
) -> None:
    slice_at(folder, monkeypatch)
    assert presets.apply(default) == "", "the committed parameters are those of the defaults"
    before = (folder / "params.yaml").read_bytes()
    assert presets.apply(other)
    assert presets.apply(default)
    assert (folder / "params.yaml").read_bytes() == before
    assert presets.apply(default) == ""


def of_kind(kind: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "presets" / kind).glob("*.yaml"))


def test_presets_are_of_two_kinds_and_their_names_differ(folder: Path) -> None:
    assert folder.exists()
    assert presets.names() == sorted([*of_kind("data"), *of_kind("recipes")])
    assert len(set(presets.names())) == len(presets.names())


@pytest.mark.parametrize("kind", ["data", "recipes"])
def test_any_preset_undoes_any_other_of_its_kind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """They set the same keys, so that none leaves half of another behind."""
    slice_at(folder, monkeypatch)
    results = {}
    for name in (*of_kind(kind), *reversed(of_kind(kind))):
        presets.apply(name)
        text = (folder / "params.yaml").read_text()
        assert results.setdefault(name, text) == text, name


def test_the_two_kinds_leave_each_other_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slice_at(folder, monkeypatch)
    default = config.flatten(params.load())
    changed: dict[str, set[str]] = {}
    for kind, start in (("data", "sample"), ("recipes", "average")):
        for name in of_kind(kind):
            presets.apply(name)
            values = config.flatten(params.load())
            changed.setdefault(kind, set()).update(
                key for key in values if values[key] != default[key]
            )
        presets.apply(start)
    assert changed["data"]
    assert changed["recipes"]
    assert not changed["data"] & changed["recipes"]


@pytest.mark.parametrize(
    ("name", "preset", "message"),
    [
        ("nope", None, "preset 'nope' is unknown; there are average, beir, local, "),
        ("slice", None, "set TWOTOWER_SLICE to the folder that holds it"),
        ("sample", "train:\n  margn: 1\n", "did you mean train.margin?"),
        ("sample", "vectors:\n  width: wide\n", "vectors.width: 'wide' is not of type int"),
    ],
)
def test_a_preset_that_cannot_be_applied_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, preset: str | None, message: str
) -> None:
    monkeypatch.setenv("TWOTOWER_SLICE", "nowhere")
    if preset:
        (folder / "presets/data/sample.yaml").write_text(preset)
    before = (folder / "params.yaml").read_bytes()
    with pytest.raises(ConfigError) as error:
        presets.apply(name)
    assert message in str(error.value)
    assert (folder / "params.yaml").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["data", "params.yaml", "presets"]


def test_outside_the_root_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["preset", "sample"], ["table"], ["search", "x"]):
        assert cli.main(arguments) == 1
        assert "run from the root of the repository" in capsys.readouterr().err


def test_the_command_prints_errors_without_a_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert folder.exists()
    for arguments in (["preset", "nope"], ["table"], ["search", "x"], ["search", "  "]):
        assert cli.main(arguments) == 1
        assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    "arguments", [[], ["serch", "x"], ["search", "x", "-k", "0"], ["search", "x", "-k", "two"]]
)
def test_wrong_calls_are_usage_errors(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        cli.main(arguments)
    assert error.value.code == 2


def test_the_table_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "metrics", folder / "metrics")
    assert cli.main(["table"]) == 0
    printed = capsys.readouterr().out
    (label,) = json.loads((folder / "metrics/evaluation.json").read_text())
    assert printed.startswith("SMOKE SET") is (label == "smoke")
    assert "BM25" in printed


@pytest.mark.parametrize("content", ["train:\n", "- a list\n"])
def test_a_preset_on_a_file_without_sections_says_so(folder: Path, content: str) -> None:
    (folder / "params.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        presets.apply("average")
    assert (folder / "params.yaml").read_text() == content
