"""The embedded sample data set: a small, invented, offline stand-in for MS MARCO and GloVe.

In: ``sample_phrases.yaml`` (kinds of entities, their attributes, phrasings) and one fixed seed.
Out: the raw files that downloads would have brought. ``write_corpus(folder)`` writes
``{train,validation,test}-00000-of-00001.parquet`` in the columns of the Hugging Face hub's
``microsoft/ms_marco``, ``write_word_vectors(folder)`` writes ``glove.sample.50d.txt``. The normal
format readers read them.

Every passage states one attribute of one entity, and queries ask for it in other words than the
passages use: word matching finds an entity's passages, but which of them answers must be learnt.
The entities of the three splits are disjoint, so what is learnt must carry over to new names.

The bytes are the same on every machine: the only randomness is ``random.Random(seed).random()``,
whose sequence Python guarantees, and the Parquet pages are not compressed, as the output of a
compressor may vary with the processor. Another pyarrow version may change the files' footers.

Real data is dirty, and so is this, in these shares (the constants below and in sample_facts.py):

==================================  ===============================================
rows without a selected passage     27 % of train, 7 % of validation and test
rows labelled -1 throughout         40 train, 8 validation, 8 test
rows with two selected passages     those whose fact is stated twice (3 % of facts)
train queries that repeat a test's  5
an empty or blank candidate         2 % of rows, never selected
a SELECTED passage that is empty    2 train rows, 1 validation row
a candidate listed twice in a row   1 % of rows
a passage in other white space      2 % of candidates (same words: a near duplicate)
mojibake, control characters,       2 %, 1 % and 1 % of passages
non-Latin words
words that the vectors lack         about 6 % of types, and a few frequent ones
==================================  ===============================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.data.sample_facts import (
    ENTITIES_PER_KIND,
    Draw,
    Fact,
    Passage,
    Phrases,
    at_random_space,
    fill,
    load_phrases,
    make_facts,
    make_stems,
)
from twotower.data.sample_vectors import write_vectors

SEED = 20_240_607
STEMS = 1_300
SPLIT_ENTITIES = {"test": 420, "validation": 340}  # the rest of the entities are train's
SPLIT_ROWS = {"train": 5_000, "validation": 400, "test": 500}
UNANSWERED_SHARE = {"train": 0.27, "validation": 0.07, "test": 0.07}
UNLABELLED_ROWS = {"train": 40, "validation": 8, "test": 8}
EMPTY_SELECTED_ROWS = {"train": 2, "validation": 1, "test": 0}
TRAIN_ROWS_REPEATING_TEST = 5
BLANK_CANDIDATE_SHARE, TWICE_LISTED_SHARE = 0.02, 0.01  # of rows
OTHER_SPACES_SHARE = 0.02  # of candidates
UNUSED_WORDS = 250  # in the vector file alone
SIBLINGS, RIVALS = 4, 2  # candidates of the same entity, and of the same attribute elsewhere
NO_ANSWER = "No Answer Present."

_STRINGS = pa.list_(pa.field("element", pa.string()))
_LABELS = pa.list_(pa.field("element", pa.int32()))
SCHEMA = pa.schema(
    {
        "answers": _STRINGS,
        "passages": pa.struct(
            {"is_selected": _LABELS, "passage_text": _STRINGS, "url": _STRINGS},
        ),
        "query": pa.string(),
        "query_id": pa.int32(),
        "query_type": pa.string(),
        "wellFormedAnswers": _STRINGS,
    }
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A fact asked for in words, and how its row is labelled."""

    fact: Fact
    query: str
    label: str  # "answered", "unanswered" or "unlabelled"
    empty_selected: bool = False


def write_corpus(folder: Path) -> None:
    """Write the sample's Parquet files into ``folder``, always the same."""
    for split, rows in _make(load_phrases()).rows.items():
        _write_parquet(folder / f"{split}-00000-of-00001.parquet", rows)


def write_word_vectors(folder: Path) -> None:
    """Write the sample's vector file into ``folder``, always the same.

    Validation and test queries stay out: vectors must not have seen what they are tested on.
    """
    phrases = load_phrases()
    sample = _make(phrases)
    rows = [row for split_rows in sample.rows.values() for row in split_rows]
    texts = {text: None for row in rows for text in _passages_of(row)}
    texts |= {str(row["query"]): None for row in sample.rows["train"]}
    extra = sample.stems[STEMS : STEMS + UNUSED_WORDS]
    path = folder / "glove.sample.50d.txt"
    write_vectors(path, list(texts), unlisted=phrases["unlisted"], extra=extra)


@dataclass(frozen=True)
class Sample:
    """All that is drawn: each split's rows, and the made-up names."""

    rows: dict[str, list[Row]]
    stems: list[str]


def _make(phrases: Phrases) -> Sample:
    draw = Draw(SEED)
    stems = make_stems(phrases["names"], draw)
    facts = make_facts(phrases, stems[:STEMS], draw)
    questions = _questions(facts, phrases["kinds"], draw)
    return Sample(_rows(questions, facts, phrases["kinds"], draw), stems)


def _questions(facts: list[Fact], kinds: Phrases, draw: Draw) -> dict[str, list[Question]]:
    """Return the questions of each split; no entity is asked about in two splits."""
    entities = draw.shuffled(range(ENTITIES_PER_KIND * len(kinds)))
    asked: dict[str, list[Question]] = {}
    for split in ("test", "validation", "train"):
        count = SPLIT_ENTITIES.get(split, len(entities))
        own, entities = set(entities[:count]), entities[count:]
        pool = draw.shuffled([fact for fact in facts if fact.entity in own])[: SPLIT_ROWS[split]]
        labels = draw.shuffled(_labels(split))
        empty = [at for at, label in enumerate(labels) if label == "answered"]
        empty = empty[: EMPTY_SELECTED_ROWS[split]]
        asked[split] = [
            Question(fact, _query_text(fact, kinds, draw), label, at in empty)
            for at, (fact, label) in enumerate(zip(pool, labels, strict=True))
        ]
    repeated = [question for question in asked["test"] if question.label == "answered"]
    asked["train"][-TRAIN_ROWS_REPEATING_TEST:] = repeated[:TRAIN_ROWS_REPEATING_TEST]
    return {split: asked[split] for split in SPLIT_ROWS}


def _labels(split: str) -> list[str]:
    """Return the label of each row of a split, not yet in random order."""
    unanswered = round(SPLIT_ROWS[split] * UNANSWERED_SHARE[split])
    labels = ["unlabelled"] * UNLABELLED_ROWS[split] + ["unanswered"] * unanswered
    return labels + ["answered"] * (SPLIT_ROWS[split] - len(labels))


def _query_text(fact: Fact, kinds: Phrases, draw: Draw) -> str:
    """Ask for a fact: lower-cased as most real queries are, at times as a written question."""
    kind, attribute = fact.topic
    query = fill(draw.pick(kinds[kind]["attributes"][attribute]["queries"]), fact.name, "")
    return query.lower() if draw.chance(0.85) else query[0].upper() + query[1:] + "?"


def _rows(
    asked: dict[str, list[Question]], facts: list[Fact], kinds: Phrases, draw: Draw
) -> dict[str, list[Row]]:
    """Return each split's rows; between them, they hold every passage of the collection."""
    related = {split: [_related(q, facts, draw) for q in asked[split]] for split in asked}
    used = {p for rows in related.values() for passages in rows for p in passages}
    everything = [passage for fact in facts for passage in fact.passages]
    unused = iter(draw.shuffled([passage for passage in everything if passage not in used]))
    ids = iter(draw.shuffled(range(10_000, 10_000 + sum(map(len, asked.values())))))
    made: dict[str, list[Row]] = {}
    for split, questions in asked.items():
        made[split] = []
        for question, passages in zip(questions, related[split], strict=True):
            size = draw.pick((10, 10, 10, 9, 8))
            fills = [next(unused, draw.pick(everything)) for _ in range(size - len(passages))]
            row = _row(question, passages + fills, kinds, draw)
            made[split].append({**row, "query_id": next(ids)})
    return made


def _related(question: Question, facts: list[Fact], draw: Draw) -> list[Passage]:
    """Return the right passages (unless unanswered), the entity's others and the attribute's."""
    fact, per_entity = question.fact, len(facts) // (facts[-1].entity + 1)
    own = facts[fact.entity * per_entity : (fact.entity + 1) * per_entity]
    siblings = draw.shuffled([other for other in own if other.topic != fact.topic])[:SIBLINGS]
    at, kind_size = own.index(fact), per_entity * ENTITIES_PER_KIND
    start = fact.entity // ENTITIES_PER_KIND * kind_size + at
    peers = [facts[start + per_entity * draw.below(ENTITIES_PER_KIND)] for _ in range(RIVALS)]
    rivals = [peer for peer in peers if peer is not fact]
    right = [] if question.label == "unanswered" else list(fact.passages)
    return right + [other.passages[0] for other in siblings + rivals]


def _row(question: Question, passages: list[Passage], kinds: Phrases, draw: Draw) -> Row:
    """Return a row of MS MARCO's columns, without its id: candidates in random order, labelled."""
    kind, attribute = question.fact.topic
    right = question.fact.passages if question.label == "answered" else ()
    candidates = [
        (_dirty(passage, question, draw), int(passage in right))
        for passage in draw.shuffled(passages)
    ]
    candidates += _dirty_candidates(candidates, draw)
    labels = [label for _, label in candidates]
    if question.label == "unlabelled":
        labels = [-1] * len(labels)
    answer = {"answered": [question.fact.value], "unanswered": [NO_ANSWER], "unlabelled": []}
    well_formed = question.label == "answered" and draw.chance(0.05)
    return {
        "answers": answer[question.label],
        "passages": {
            "is_selected": labels,
            "passage_text": [passage.text for passage, _ in candidates],
            "url": [passage.url for passage, _ in candidates],
        },
        "query": question.query,
        "query_type": kinds[kind]["attributes"][attribute]["type"],
        "wellFormedAnswers": [f"The answer is {question.fact.value}."] if well_formed else [],
    }


def _dirty(passage: Passage, question: Question, draw: Draw) -> Passage:
    """Return the passage as it stands in one row: mostly as it is, at times in other spaces."""
    if question.empty_selected and passage in question.fact.passages:
        return Passage("", passage.url)
    if draw.chance(OTHER_SPACES_SHARE):
        return Passage(at_random_space(passage.text, "  ", draw) + " ", passage.url)
    return passage


def _dirty_candidates(
    candidates: list[tuple[Passage, int]], draw: Draw
) -> Iterator[tuple[Passage, int]]:
    """Yield what a row has too much: a blank passage, or an unselected one again."""
    if draw.chance(BLANK_CANDIDATE_SHARE):
        yield Passage(draw.pick(("", " ", " \n", "\t")), "https://example.org/blank"), 0
    if draw.chance(TWICE_LISTED_SHARE):
        yield from [pair for pair in candidates if pair[1] == 0][:1]


def _passages_of(row: Row) -> list[str]:
    """Return the texts of a row's candidate passages."""
    texts: list[str] = row["passages"]["passage_text"]
    return texts


def _write_parquet(path: Path, rows: list[Row]) -> None:
    """Write rows in MS MARCO's columns; the large dictionary stores a repeated passage once."""
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    pq.write_table(
        table, path, compression="none", store_schema=False, dictionary_pagesize_limit=2**25
    )
