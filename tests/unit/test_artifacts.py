"""Invariants 9 and 10: nothing half-written is ever seen, no pickle is ever loaded."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tiny

from twotower import artifacts, files
from twotower.errors import DataError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "out"
    with files.writing_folder(path) as folder:
        (folder / "a").write_text("whole")

    def write_half() -> None:
        with files.writing_folder(path) as folder:
            (folder / "a").write_text("ha")
            assert (path / "a").read_text() == "whole", "half of it is seen under its final name"
            raise error

    with pytest.raises(error):
        write_half()
    assert (path / "a").read_text() == "whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_run_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").write_text("left by a kill")
    with files.writing_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("new")
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["new"]


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        files.read_array(tmp_path / "evil.npy")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        files.write_array(tmp_path / "out.npy", np.array([{"a": 1}], dtype=object))


def test_no_code_can_load_a_pickle() -> None:
    forbidden = re.compile(
        r"\bpickle\b|torch\.load|torch\.save|joblib|allow_pickle=True|cloudpickle"
    )
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        code = re.sub(r'"""(.|\n)*?"""|#.*', "", path.read_text(encoding="utf-8"))
        assert not forbidden.search(code), path


def test_take_gives_the_chosen_texts_in_order() -> None:
    store = tiny.store([[1, 2], [3], [4, 5, 6]])
    taken = store.take(np.array([2, 0, 2]))
    assert taken.ids.tolist() == [4, 5, 6, 1, 2, 4, 5, 6]
    assert taken.offsets.tolist() == [0, 3, 5, 8]
    assert len(store.take(np.array([], np.int64))) == 0


def test_token_stores_come_back_memory_mapped(tmp_path: Path) -> None:
    store = tiny.random_store(9, seed=2)
    artifacts.write_tokens({"queries": store}, {}, (np.zeros(1), 0.0), tmp_path / "tokens")
    found = artifacts.read_tokens("queries", tmp_path / "tokens")
    assert isinstance(found.ids, np.memmap)
    assert not found.ids.flags.writeable
    assert np.array_equal(found.ids, store.ids)
    assert found.ids.dtype == np.int32
    assert np.array_equal(found.offsets, store.offsets)


def write_vocabulary(folder: Path, unit: artifacts.Unit) -> artifacts.Vocabulary:
    words = pl.DataFrame({"word": ["<pad>", "<unk>", "cat"], "count": [0, 1, 4], "df": [0, 1, 3]})
    pretrained = np.array([[0, 0], [1, 2], [1, 2]], np.float32)
    vocabulary = artifacts.Vocabulary(words, np.array([0, 0, 1]), pretrained, {"passages": 9}, unit)
    artifacts.write_vocabulary(vocabulary, folder)
    return vocabulary


def test_what_the_towers_start_from_comes_back(tmp_path: Path) -> None:
    """Half of it is the vocabulary's, half was counted in the tokens."""
    vocab, tokens = tmp_path / "vocab", tmp_path / "tokens"
    written = write_vocabulary(vocab, artifacts.Unit("words", lower_case=True))
    artifacts.write_tokens({}, {"passages": {}}, (np.array([0, 7]), 2.5), tokens)
    found = artifacts.read_word_vectors(vocab, tokens)
    assert np.array_equal(found.pretrained_VE, written.pretrained_VE)
    assert found.pretrained_VE.dtype == np.float32
    assert found.df_W.tolist() == [0, 1, 3]
    assert found.identity_W.tolist() == artifacts.read_identities(vocab).tolist() == [0, 0, 1]
    assert found.df_I.tolist() == [0, 7]
    assert (found.mean_length, found.passages) == (2.5, 9)
    assert {each.dtype.name for each in (found.df_W, found.identity_W, found.df_I)} == {"int64"}
    assert files.read_json(tokens / "counts.json") == {"passages": {}}


@pytest.mark.parametrize(("gone", "stage"), [("vocab", "vocab"), ("tokens", "tokenize")])
def test_word_vectors_need_both_folders(tmp_path: Path, gone: str, stage: str) -> None:
    write_vocabulary(tmp_path / "vocab", artifacts.Unit("words", lower_case=True))
    artifacts.write_tokens({}, {}, (np.zeros(1), 0.0), tmp_path / "tokens")
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"{gone} is missing: .*, in stage {stage}"):
        artifacts.read_word_vectors(tmp_path / "vocab", tmp_path / "tokens")


@pytest.mark.parametrize("tokenizer", [None, '{"any": "content"}\r\n'])
def test_words_are_copied_with_all_that_splitting_needs(
    tmp_path: Path, tokenizer: str | None
) -> None:
    unit = artifacts.Unit("wordpieces" if tokenizer else "characters", False, tokenizer)
    written = write_vocabulary(tmp_path / "vocab", unit)
    (tmp_path / "model").mkdir()
    artifacts.copy_words(tmp_path / "model", tmp_path / "vocab")
    assert artifacts.read_words(tmp_path / "model").equals(written.words)
    assert artifacts.read_unit(tmp_path / "model") == unit
    copied = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    needed = {"words.parquet", "unit.json"} | ({"tokenizer.json"} if tokenizer else set())
    assert set(copied) == needed
    assert all((tmp_path / "vocab" / name).read_bytes() == copied[name] for name in copied)


def test_no_words_to_copy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none is missing: .*, in stage vocab"):
        artifacts.copy_words(tmp_path, tmp_path / "none")


def test_what_may_be_lost_lies_in_the_repository_even_for_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert (artifacts.root(), artifacts.scratch()) == (tmp_path, tmp_path / ".twotower")
    repository = tmp_path / "repository"
    repository.mkdir()
    for name in ("repository", str(repository), "repository/../repository"):
        monkeypatch.setenv("DVC_ROOT", name)
        assert artifacts.root() == repository
        assert artifacts.scratch() == repository / ".twotower"
    assert not list(repository.iterdir())


def test_a_missing_artefact_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in stage prepare"):
        artifacts.read_corpus(tmp_path / "corpus")


def test_json_is_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a", {"b": 1, "a": [2]})
    files.write_json(tmp_path / "b", {"a": [2], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "c", {"a": float("nan")})
    assert json.loads((tmp_path / "a").read_text()) == {"a": [2], "b": 1}


def test_fingerprints_follow_names_and_bytes(tmp_path: Path) -> None:
    def folder(name: str, content: dict[str, str]) -> str:
        (tmp_path / name).mkdir()
        for file, text in content.items():
            (tmp_path / name / file).write_text(text)
        return files.fingerprint(tmp_path / name)

    first = folder("one", {"a": "1", "b": "2"})
    assert folder("two", {"b": "2", "a": "1"}) == first
    assert len({first, folder("x", {"a": "1", "b": "3"}), folder("y", {"a": "1", "c": "2"})}) == 3


def test_a_fingerprint_of_some_files_follows_those_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.py", "deep/b.py"):
        (tmp_path / name).write_text(name)
    code = files.fingerprint(tmp_path, "*.py")
    assert code == files.fingerprint(tmp_path)
    (tmp_path / "deep" / "b.pyc").write_text("what Python makes of it")
    assert files.fingerprint(tmp_path, "*.py") == code != files.fingerprint(tmp_path)
    (tmp_path / "deep" / "b.py").write_text("changed")
    assert files.fingerprint(tmp_path, "*.py") != code


def test_a_tables_bytes_follow_from_its_rows_alone(tmp_path: Path) -> None:
    """Threads leave tables in pieces, and another number of cores leaves other pieces."""
    whole = pl.DataFrame({"pid": range(10_000), "text": [f"text {i}" for i in range(10_000)]})
    pieces = pl.concat([whole.slice(at, 1_234) for at in range(0, 10_000, 1_234)], rechunk=False)
    assert pieces.n_chunks() > 1
    for name, table in (("whole", whole), ("pieces", pieces)):
        artifacts.write_table(tmp_path / name, table)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "pieces").read_bytes()
