"""Units: what splits texts is kept with the vocabulary, and splits the same when read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import small_tokenizer

from twotower import artifacts
from twotower.artifacts import Unit, Vocabulary
from twotower.errors import DataError
from twotower.text import units

TEXTS = pl.Series(["The cats’ <pad>", "", "SATTING"])
WORDPIECES = Unit("wordpieces", lower_case=True, tokenizer=small_tokenizer.build().to_str())
ALL = [WORDPIECES, *(Unit(n, lower) for n in ("words", "characters") for lower in (True, False))]


def written(unit: Unit, folder: Path) -> Path:
    words = pl.DataFrame({"word": ["<pad>", "<unk>"], "count": [0, 0], "df": [0, 0]})
    vectors = np.zeros((2, 3), np.float32)
    built = Vocabulary(words, np.zeros(2, np.int64), vectors, {"passages": 0}, unit)
    artifacts.write_vocabulary(built, folder / "vocab")
    return folder / "vocab"


@pytest.mark.parametrize("unit", ALL)
def test_a_unit_read_back_splits_the_same(unit: Unit, tmp_path: Path) -> None:
    back = artifacts.read_unit(written(unit, tmp_path))
    assert back == unit
    first, second = (units.splitter(each)(TEXTS) for each in (unit, back))
    assert first.forms.to_list() == second.forms.to_list()
    assert first.store.ids.tolist() == second.store.ids.tolist()


def test_each_unit_splits_in_its_own_way() -> None:
    forms = [units.splitter(unit)(TEXTS).forms.to_list() for unit in ALL]
    assert len({json.dumps(each) for each in forms}) == len(ALL)
    assert {unit.name for unit in ALL} == set(units.UNITS)


def test_only_word_pieces_need_a_file(tmp_path: Path) -> None:
    for name in ("words", "characters"):
        unit = units.choose(name, lower_case=False, folder=tmp_path / "absent")
        assert unit == Unit(name, lower_case=False)
        folder = written(unit, tmp_path / name)
        assert json.loads((folder / "unit.json").read_text()) == {"name": name, "lower_case": False}
        assert not (folder / "tokenizer.json").exists()


def test_the_uppermost_tokenizer_is_taken(tmp_path: Path) -> None:
    for place in ("model/0_Embedding/deep", "model", "model/a"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "tokenizer.json").write_text("no JSON")
    (tmp_path / "model" / "tokenizer.json").write_text(str(WORDPIECES.tokenizer))
    assert units.choose("wordpieces", lower_case=True, folder=tmp_path) == WORDPIECES


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_no_tokenizer_in_the_folder(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"tokenizer\.json is missing; vocab\.unit: wordpieces needs"
    ):
        units.choose("wordpieces", lower_case=True, folder=tmp_path / folder)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model": 1}', b"\xff\xfe", b"<html>"])
def test_a_malformed_tokenizer_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(DataError, match=r"/tokenizer\.json: .*vocab\.unit: wordpieces needs"):
        units.choose("wordpieces", lower_case=True, folder=tmp_path)


def test_a_vocabulary_without_its_unit_or_tokenizer(tmp_path: Path) -> None:
    folder = written(WORDPIECES, tmp_path)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer\.json is missing: .* in stage vocab"):
        artifacts.read_unit(folder)
    (folder / "unit.json").unlink()
    with pytest.raises(DataError, match=r"unit\.json is missing: .* in stage vocab"):
        artifacts.read_unit(folder)


def test_the_tokenizer_is_kept_byte_for_byte(tmp_path: Path) -> None:
    content = f"{WORDPIECES.tokenizer}\r\n \n"
    folder = written(replace(WORDPIECES, tokenizer=content), tmp_path)
    assert (folder / "tokenizer.json").read_bytes() == content.encode()
    assert artifacts.read_unit(folder).tokenizer == content


def test_the_number_of_pretrained_rows(tmp_path: Path) -> None:
    assert artifacts.count_pretrained(written(WORDPIECES, tmp_path)) == 2
