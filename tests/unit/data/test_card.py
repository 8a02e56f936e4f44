"""The data card: what the stages counted, in JSON and as a page, and nothing else."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_corpus import DATA, LOCAL, write_qna

from twotower.artifacts import (
    CORPUS,
    DATA_CARD,
    DATA_PAGE,
    RAW,
    SPECIAL,
    TOKENS,
    VECTORS,
    VOCAB,
    Unit,
    read_corpus,
    write_corpus,
    write_tokens,
)
from twotower.config import Vocab
from twotower.data import card, corpus, counts, readers, sources
from twotower.errors import DataError
from twotower.files import read_json, write_json
from twotower.text import vocabulary
from twotower.text.tokenizer import Tokenizer, loss_by_split
from twotower.text.words import split_words

VECTOR_FACTS = {
    "source": "sample",
    "format": "glove",
    "width": 50,
    "terms": "as you like",
    "files_bytes": {"v.txt": 1234},
}
VOCABULARY = {name: 1000 + number for number, name in enumerate(["passages", *card.WORDS])}


def split(texts: pl.Series) -> Any:
    return split_words(texts, lower_case=True)


def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Run the data stages on the small corpus, in a folder that stands for the repository."""
    monkeypatch.chdir(folder)
    given = str(write_qna(folder / "given"))
    sources.download(dataclasses.replace(LOCAL, folder=given))
    data = dataclasses.replace(DATA, **changes)
    raw = readers.read(RAW / "corpus", "qna", data)
    built = corpus.build(raw, data, 20, smoke=changes.get("repair", False))
    write_corpus(built)
    for path, content in (
        (VECTORS / "source.json", VECTOR_FACTS),
        (VOCAB / "counts.json", VOCABULARY),
    ):
        path.parent.mkdir()
        write_json(path, content)
    words = pl.DataFrame({"word": [*SPECIAL, "cats", "what", "is"]})
    passages, queries = (
        Tokenizer(words, split)(texts, 3)
        for texts in (built.passages["text"], built.queries["text"])
    )
    losses = loss_by_split(passages, queries, built.queries["split"], pretrained=4)
    stores = {"passages": passages.store, "queries": queries.store}
    write_tokens(stores, losses, (np.zeros(1, np.int64), 0.0))


def table_of(page: str, title: str) -> dict[str, dict[str, str]]:
    """Read one table of the page: rows by their name, cells by their column's."""
    section = page.split(f"## {title}\n")[1].partition("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    return {row[0]: dict(zip(cells[0][1:], row[1:], strict=True)) for row in cells[1:]}


def test_the_card_is_what_the_stages_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, monkeypatch)
    card.write(card.collect())
    content = read_json(DATA_CARD)
    built, stored = read_corpus(), read_json(CORPUS / "counts.json")
    assert content == {
        **stored,
        "source": read_json(RAW / "source.json"),
        "vectors": VECTOR_FACTS,
        "vocabulary": VOCABULARY,
        "tokens": read_json(TOKENS / "counts.json"),
    }
    for name, of in content["splits"].items():
        qrels = built.qrels.filter(split=name)
        positives = qrels.filter(pl.col("grade") >= 1)
        assert of["queries"] == built.queries.filter(split=name).height
        assert of["qrels"] == qrels.height
        assert of["positives"] == positives.height
        assert of["positives_different"] == len(set(positives["pid"]))
        assert of["positives_a_query_mean"] == positives.height / of["queries"]
    assert content["passages"]["kept"] == built.passages.height
    assert content["tokens"]["passages"]["texts"] == built.passages.height


def test_the_page_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path, monkeypatch)
    content = card.collect()
    card.write(content)
    page = DATA_PAGE.read_text(encoding="utf-8")
    passages = table_of(page, "Passages")
    expected = {"found": "15", "empty": "2", "repeated": "9", "kept": "4", "positives_empty": "1"}
    assert {name: passages[card.PASSAGES[name]][""] for name in expected} == expected
    fates = table_of(page, "Queries in the files, and what became of them")
    assert fates["found in the files"] == {"train": "6", "dev": "1", "test": "1"}
    for fate, words in counts.FATES.items():
        ends = {name: str(ends[fate]) for name, ends in content["found"].items()}
        assert fates[f"dropped: {words}"] == ends
    splits = table_of(page, "Splits as they are used")
    assert list(splits["queries"]) == ["train", "dev", "test"]
    assert splits[card.SPLITS["positives"]] == {"train": "2", "dev": "2", "test": "1"}
    seen = splits[card.SPLITS["positives_seen_in_training"]]
    assert seen == {"train": "", "dev": "1", "test": "0"}
    histogram = table_of(page, "Queries by their number of relevant passages")
    assert histogram["2 relevant"] == {"train": "0", "dev": "1", "test": "0"}
    vocabulary = table_of(page, "Vocabulary")
    figures = [row[""] for row in vocabulary.values()]
    assert figures == [f"{VOCABULARY[name]:,}" for name in card.WORDS]
    tokens = table_of(page, "Tokens")
    # Of "What is gravity?" two words are known and one is not; the mark is cut off. Of "why cats
    # purr" one is known.
    assert tokens[card.TEXTS["tokens"]]["queries train"] == "6"
    assert tokens[card.TEXTS["unknown_token_rate"]]["queries train"] == "0.5"
    assert tokens[card.TEXTS["truncated_text_rate"]]["queries train"] == "0.5"


def test_every_figure_has_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No count is unknown to the card, nor the other way round, and no two have the same words."""
    prepare(tmp_path, monkeypatch)
    content = card.collect()
    assert set(card.PASSAGES) == set(content["passages"])
    figures = {name for of in content["splits"].values() for name in of}
    assert figures - {"queries_by_positives", "grades"} == set(card.SPLITS)
    assert {name for of in content["tokens"].values() for name in of} == set(card.TEXTS)
    kept = Vocab("words", lower_case=True, min_count=1, identity="stem", stop_words="drop")
    built = vocabulary.build(read_corpus(), Unit("words", lower_case=True), None, 2, kept)
    assert set(built.counts) == {"passages", *card.WORDS}
    ends = {end for of in content["found"].values() for end in of if "used_as" not in end}
    assert ends == {"queries", *counts.FATES}
    for words in (card.PASSAGES, card.SPLITS, card.TEXTS, card.WORDS, counts.FATES):
        assert len(set(words.values())) == len(words)


def test_splits_stand_in_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path, monkeypatch)
    content = card.collect()
    for part in ("found", "splits", "tokens"):
        content[part] = dict(reversed(content[part].items()))
    assert card.page(content) == card.page(card.collect())


def test_the_page_tells_where_the_data_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, monkeypatch)
    content = card.collect()
    page = card.page(content)
    assert page.startswith("# Data: local\n")
    assert "Format: qna. Revision: none." in page
    assert f"Terms: {content['source']['terms']}." in page
    for name, size in content["source"]["files_bytes"].items():
        assert f"{name} ({size:,} bytes)" in page
    assert (
        "Word vectors: sample, 50 numbers each. Terms: as you like. Files: v.txt (1,234 bytes)."
        in page
    )
    assert "**Smoke set**" not in page
    assert "**Weak labels**" not in page
    assert not re.search(r"\n\n\n|nan|None", page)
    assert page.endswith("|\n")


def test_smoke_and_weak_labels_are_told_at_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, monkeypatch, train_labels="all", repair=True)
    content = card.collect()
    assert (content["smoke"], content["train_labels"]) == (True, "weak")
    top = card.page(content).split("* Format")[0]
    assert "**Smoke set**" in top
    assert "**Weak labels**" in top


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        (CORPUS, "prepare"),
        (RAW, "download"),
        (VECTORS, "vectors"),
        (VOCAB, "vocab"),
        (TOKENS, "tokenize"),
    ],
)
def test_a_missing_stage_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path, stage: str
) -> None:
    prepare(tmp_path, monkeypatch)
    path.rename(path.with_name("gone"))
    with pytest.raises(DataError, match=f"{path} is missing: .*, in stage {stage}"):
        card.collect()
