"""The embedded sample: same bytes everywhere, MS MARCO's shape, its dirt, its word mismatch."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twotower.data.sample import (
    EMPTY_SELECTED_ROWS,
    NO_ANSWER,
    UNLABELLED_ROWS,
    write_corpus,
    write_word_vectors,
)
from twotower.data.sample_facts import load_phrases
from twotower.data.sample_vectors import DIM, LENGTH

# The bytes on every machine, with the pinned pyarrow. Pin anew after a deliberate change.
PINNED = {
    "corpus/train-00000-of-00001.parquet": (
        "d94d084d267e640e133b3d171c47d2193aa2f29547cacdda903ca499b390cf28"
    ),
    "corpus/validation-00000-of-00001.parquet": (
        "1865ae53ad9632c22342f6c0519ace9f46d173bf21e04b28c64bb107256d5c92"
    ),
    "corpus/test-00000-of-00001.parquet": (
        "309bf0b5152036d0b6a8fbcf5fd7ddd6041cad41c754f4cedc17eff880592610"
    ),
    "vectors/glove.sample.50d.txt": (
        "b87502d81fb6671e98ccace949399e4ec9bdd22c1c46d1f11451c830521effde"
    ),
}
SPLITS = {"train": 5_000, "validation": 400, "test": 500}
QUERY_TYPES = {"NUMERIC", "ENTITY", "LOCATION", "PERSON", "DESCRIPTION"}
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about above after all along an and any anybody are around as at be because been before
    below beside besides between bring brings by can did do does down during each else every few
    for from had has have her how i if in into is it its last less like me more most near no not
    of on one or other out over own per some than that the their them then there they this those
    through to too two under until up upon was were what when where which while who whose why will
    with within without you""",
    )
)
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the sample once for the module."""
    path: Path = tmp_path_factory.mktemp("sample")
    write_sample(path)
    return path


def write_sample(path: Path) -> None:
    """Write the corpus and its vectors, each into a folder of its own."""
    for name, write in (("corpus", write_corpus), ("vectors", write_word_vectors)):
        (path / name).mkdir()
        write(path / name)


@pytest.fixture(scope="module")
def rows(folder: Path) -> Rows:
    """Read the rows of each split."""
    return {
        split: pq.read_table(folder / f"corpus/{split}-00000-of-00001.parquet").to_pylist()
        for split in SPLITS
    }


@pytest.fixture(scope="module")
def vectors(folder: Path) -> dict[str, list[float]]:
    """Read the vector file, in its order."""
    lines = (folder / "vectors/glove.sample.50d.txt").read_text(encoding="utf-8").splitlines()
    return {line.split(" ")[0]: [float(v) for v in line.split(" ")[1:]] for line in lines}


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def labelled(rows: Rows, *splits: str) -> Iterator[tuple[dict[str, Any], str, int]]:
    """Yield row, passage text and label of every candidate of the splits (all if none named)."""
    for split in splits or rows:
        for row in rows[split]:
            found = row["passages"]
            for text, label in zip(found["passage_text"], found["is_selected"], strict=True):
                yield row, text, label


def content_words(templates: list[str]) -> set[str]:
    """Return the templates' words but for names, values and stop words; a plural s is cut."""
    text = " ".join(templates).lower().replace("<name>", " ").replace("<value>", " ")
    words = set(re.findall(r"[a-z]+", text)) - STOP_WORDS
    return {word.removesuffix("s") if len(word) > 3 else word for word in words}


def attributes() -> list[tuple[str, str]]:
    """Return every kind and attribute of the phrases."""
    return [(k, a) for k, kind in load_phrases()["kinds"].items() for a in kind["attributes"]]


def test_two_writes_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_sample(tmp_path)
    assert checksums(tmp_path) == checksums(folder)


def test_the_bytes_are_the_pinned_ones(folder: Path) -> None:
    assert checksums(folder) == PINNED


def test_schema_is_ms_marcos(folder: Path) -> None:
    strings = pa.list_(pa.field("element", pa.string()))
    labels = pa.list_(pa.field("element", pa.int32()))
    passages = {"is_selected": labels, "passage_text": strings, "url": strings}
    expected = {"answers": strings, "passages": pa.struct(passages), "query": pa.string()}
    expected |= {"query_id": pa.int32(), "query_type": pa.string(), "wellFormedAnswers": strings}
    for split in SPLITS:
        found = pq.read_schema(folder / f"corpus/{split}-00000-of-00001.parquet")
        assert found.equals(pa.schema(expected)), split
        assert found.metadata is None


def test_sizes(rows: Rows) -> None:
    assert {split: len(found) for split, found in rows.items()} == SPLITS
    assert len({text for _, text, _ in labelled(rows)}) >= 22_000
    sizes = Counter(len(row["passages"]["url"]) for found in rows.values() for row in found)
    assert sum(sizes[size] for size in (8, 9, 10)) > 0.95 * sum(SPLITS.values())
    assert set(sizes) <= {7, 8, 9, 10, 11, 12}
    lengths = sorted(len(text.split()) for _, text, _ in labelled(rows) if text.strip())
    assert lengths[0] >= 10
    assert 25 <= lengths[len(lengths) // 2] <= 45
    assert 80 <= lengths[int(len(lengths) * 0.96)] <= 120


def test_rows_are_whole(rows: Rows) -> None:
    everything = [row for found in rows.values() for row in found]
    assert len({row["query_id"] for row in everything}) == len(everything)
    assert {row["query_type"] for row in everything} == QUERY_TYPES
    for row in everything:
        parts = row["passages"]
        assert len(parts["is_selected"]) == len(parts["passage_text"]) == len(parts["url"])
        assert all(url.startswith("https://example.org/") for url in parts["url"])
        unanswered = set(parts["is_selected"]) == {0}
        assert (row["answers"] == [NO_ANSWER]) == unanswered


def test_the_selected_passage_holds_the_answer_at_any_place(rows: Rows) -> None:
    places: Counter[int] = Counter()
    for found in rows.values():
        for row in found:
            labels, texts = row["passages"]["is_selected"], row["passages"]["passage_text"]
            if 1 in labels and texts[labels.index(1)]:
                places[labels.index(1)] += 1
                text = " ".join(re.sub(r"[\x00-\x1f]", " ", texts[labels.index(1)]).split())
                assert row["answers"][0].lower() in text.lower()
    assert min(places[place] for place in range(8)) > 300


def test_only_a_handful_of_queries_stand_in_two_splits(rows: Rows) -> None:
    queries = {split: [row["query"].lower() for row in found] for split, found in rows.items()}
    assert len(set(queries["train"]) & set(queries["test"])) == 5
    assert not set(queries["validation"]) & set(queries["train"] + queries["test"])
    assert all(len(set(found)) == len(found) for found in queries.values())


@pytest.mark.parametrize(
    ("split", "low", "high"),
    [("train", 0.25, 0.30), ("validation", 0.05, 0.10), ("test", 0.05, 0.10)],
)
def test_labels_are_missing_in_their_shares(
    rows: Rows, split: str, low: float, high: float
) -> None:
    kinds = Counter(frozenset(row["passages"]["is_selected"]) for row in rows[split])
    assert low <= kinds[frozenset({0})] / len(rows[split]) <= high
    assert kinds[frozenset({-1})] == UNLABELLED_ROWS[split]
    assert set(kinds) == {frozenset({0}), frozenset({-1}), frozenset({0, 1})}
    twice = sum(row["passages"]["is_selected"].count(1) == 2 for row in rows[split])
    assert 0.01 < twice / len(rows[split]) < 0.05


def test_blank_passages_are_selected_in_three_rows_only(rows: Rows) -> None:
    blank = [(text, label) for _, text, label in labelled(rows) if not text.strip()]
    assert sum(label == 1 for _, label in blank) == sum(EMPTY_SELECTED_ROWS.values()) == 3
    assert 60 < len(blank) < 240
    assert {"", " "} < {text for text, _ in blank}


@pytest.mark.parametrize(
    ("pattern", "low", "high"),
    [
        ("â€|Ã|ï¬", 0.01, 0.03),  # UTF-8 read with the wrong code page
        (r"[\t\n\r\x07\x1f]", 0.005, 0.02),
        (
            r"[\u0370-\u06ff\u3040-\u9fff]",
            0.005,
            0.02,
        ),  # Greek, Cyrillic, Arabic, Japanese, Chinese
    ],
)
def test_dirt_in_texts(rows: Rows, pattern: str, low: float, high: float) -> None:
    texts = {text for _, text, _ in labelled(rows)}
    assert low <= sum(bool(re.search(pattern, text)) for text in texts) / len(texts) <= high


def test_passages_repeat_exactly_and_in_other_white_space(rows: Rows) -> None:
    times = Counter(text for _, text, _ in labelled(rows) if text.strip())
    assert sum(count > 1 for count in times.values()) > 5_000
    words = Counter(" ".join(text.split()) for text in times)
    assert 400 < sum(count > 1 for count in words.values()) < 1_500
    assert any(len(set(r["passages"]["url"])) < len(r["passages"]["url"]) for r in rows["train"])


def test_vector_file_is_gloves(vectors: dict[str, list[float]], folder: Path) -> None:
    first = (folder / "vectors/glove.sample.50d.txt").read_bytes().split(b"\n", 1)[0].decode()
    assert re.fullmatch(rf"\S+( -?\d+\.\d{{5}}){{{DIM}}}", first)
    assert list(vectors)[:3] == [".", "the", "a"]
    assert all(len(vector) == DIM for vector in vectors.values())
    lengths = [math.sqrt(sum(v * v for v in vector)) for vector in vectors.values()]
    assert max(abs(length - LENGTH) for length in lengths) < 1e-3


def test_vectors_lack_some_words_and_hold_some_unused(
    rows: Rows, vectors: dict[str, list[float]]
) -> None:
    texts = {text for _, text, _ in labelled(rows)} | {r["query"] for r in rows["train"]}
    used = {word for text in texts for word in re.findall(r"[a-z]+|\d[\d,.]*\d|\d", text.lower())}
    assert 0.03 < len(used - set(vectors)) / len(used) < 0.10
    assert set(load_phrases()["unlisted"]) <= used - set(vectors)
    assert 150 < len({word for word in vectors if word.isalpha()} - used) < 400


def test_words_of_similar_use_have_similar_vectors(vectors: dict[str, list[float]]) -> None:
    def cosine(one: str, other: str) -> float:
        pairs = zip(vectors[one], vectors[other], strict=True)
        return sum(a * b for a, b in pairs) / LENGTH**2

    assert cosine("granite", "slate") > 0.6
    assert cosine("granite", "butter") < 0.4


def test_phrases_have_eight_kinds_of_eight_attributes() -> None:
    phrases = load_phrases()
    assert Counter(kind for kind, _ in attributes()) == dict.fromkeys(phrases["kinds"], 8)
    assert len(phrases["kinds"]) == 8


@pytest.mark.parametrize(("kind", "attribute"), attributes())
def test_query_and_passages_of_an_attribute_share_no_content_word(
    kind: str, attribute: str
) -> None:
    phrases = load_phrases()["kinds"][kind]["attributes"][attribute]
    assert 3 <= len(phrases["queries"]) <= 4
    assert len(phrases["passages"]) == 3
    assert all(text.count("<name>") == 1 for text in phrases["queries"] + phrases["passages"])
    assert all("<value>" in text for text in phrases["passages"])
    assert not content_words(phrases["queries"]) & content_words(phrases["passages"])


def test_query_words_distract_in_other_attributes() -> None:
    for kind in load_phrases()["kinds"].values():
        passages = {a: content_words(p["passages"]) for a, p in kind["attributes"].items()}
        distracted = [
            attribute
            for attribute, phrases in kind["attributes"].items()
            for other, words in passages.items()
            if other != attribute and words & content_words(phrases["queries"])
        ]
        assert distracted


def test_no_query_phrase_asks_for_two_attributes() -> None:
    for kind in load_phrases()["kinds"].values():
        queries = [text for phrases in kind["attributes"].values() for text in phrases["queries"]]
        assert len(set(queries)) == len(queries)
