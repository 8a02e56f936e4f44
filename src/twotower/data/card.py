"""The data card: what the data holds, for machines (metrics/data.json) and people (data.md).

Gathered from what the stages before it counted: nothing is counted here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twotower.artifacts import CORPUS, DATA_CARD, DATA_PAGE, RAW, TOKENS, VECTORS, VOCAB, require
from twotower.data.counts import FATES
from twotower.files import read_json, write_json, writing

Content = dict[str, Any]

PASSAGES = {
    "found": "found in the files",
    "cut": "left out with cut queries, or as the same share of those that no query lists",
    "empty": "left out: no text",
    "repeated": "left out: text of an earlier passage",
    "kept": "the pool: one passage a text",
    "repaired": "found texts whose encoding was mended",
    "not_ascii": "of the pool: with characters beyond ASCII",
    "with_letters_not_latin": "of the pool: with letters of another script than Latin",
    "positives_empty": "left out: relevant for a query, but without text",
    "qrels_repeated": "labels given twice for a query and a text; the highest holds",
}
SPLITS = {
    "queries": "queries",
    "positives": "relevant passages",
    "positives_different": "relevant passages, different ones",
    "positives_a_query_mean": "relevant passages a query, mean",
    "positives_a_query_max": "relevant passages a query, most",
    "qrels": "labels, those of passages that are not relevant included",
    "queries_in_other_split": "of these queries: text stands in dev or an evaluated split too",
    "positives_seen_in_training": "of the different ones: relevant in train too",
    "queries_not_ascii": "queries with characters beyond ASCII",
    "queries_with_letters_not_latin": "queries with letters of another script than Latin",
}
WORDS = {
    "words_in_corpus": "different words in the passages and train queries",
    "words_with_vector": "of these: with a pretrained vector",
    "words_kept_without_vector": "of these: without one, but frequent enough for an id",
    "identities": "different identities (words, or stems) that are told apart",
    "words_in_vector_file": "words in the vector file",
    "words_repeated_in_vector_file": "words that stand there again: the first counts",
    "tokens_in_corpus": "tokens in the passages and train queries",
    "tokens_without_vector": "of these: without a pretrained vector",
    "tokens_unknown": "of these: <unk>",
}
TEXTS = {
    "texts": "texts",
    "tokens": "tokens kept",
    "length_mean": "tokens a text before the cut, mean",
    "length_p50": "median",
    "length_p90": "90 % have at most",
    "length_p99": "99 % have at most",
    "length_max": "longest",
    "truncated_text_rate": "share of texts that are cut",
    "unknown_token_rate": "share of tokens that are <unk> (out of vocabulary)",
    "without_vector_rate": "share of tokens without a pretrained vector",
}


def collect() -> Content:
    """Gather what every stage up to tokenize counted."""
    corpus = read_json(require(CORPUS, "prepare") / "counts.json")
    return {
        "smoke": corpus["smoke"],
        "train_labels": corpus["train_labels"],
        "source": read_json(require(RAW, "download") / "source.json"),
        "passages": corpus["passages"],
        "queries_repaired": corpus["queries_repaired"],
        "found": corpus["found"],
        "splits": corpus["splits"],
        "vectors": read_json(require(VECTORS, "vectors") / "source.json"),
        "vocabulary": read_json(require(VOCAB, "vocab") / "counts.json"),
        "tokens": read_json(require(TOKENS, "tokenize") / "counts.json"),
    }


def write(card: Content, path: Path = DATA_CARD, page_path: Path = DATA_PAGE) -> None:
    """Write the JSON and the page."""
    with writing(path) as partial:
        write_json(partial, card)
    with writing(page_path) as partial:
        partial.write_text(page(card), encoding="utf-8")


def page(card: Content) -> str:
    """Lay the card out as Markdown."""
    source, vectors = card["source"], card["vectors"]
    lines = [f"# Data: {source['source']}", ""]
    if card["smoke"]:
        lines += ["**Smoke set**: figures measured on it only show that the pipeline works.", ""]
    if card["train_labels"] == "weak":
        lines += ["**Weak labels**: in train, every candidate passage counts as relevant.", ""]
    lines += [
        f"* Format: {source['format']}. Revision: {source['revision'] or 'none'}.",
        f"* Terms: {source['terms']}.",
        f"* Files: {_files(source)}.",
        f"* Word vectors: {vectors['source']}, {vectors['width']} numbers each. "
        f"Terms: {vectors['terms']}. Files: {_files(vectors)}.",
        f"* Queries whose encoding was mended: {card['queries_repaired']:,}.",
        "",
        *_section("Passages", PASSAGES, {"": card["passages"]}),
        *_section(
            "Queries in the files, and what became of them", _fates(card), _ordered(card["found"])
        ),
        *_section("Splits as they are used", SPLITS, _ordered(card["splits"])),
        *_section("Queries by their number of relevant passages", {}, _histograms(card)),
        *_section("Relevant passages by grade", {}, _grades(card)),
        *_section("Tokens", TEXTS, _ordered(card["tokens"])),
        *_section("Vocabulary", WORDS, {"": card["vocabulary"]}),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _files(source: Content) -> str:
    sizes = source["files_bytes"].items()
    return ", ".join(f"{name} ({size:,} bytes)" for name, size in sizes) or "none"


def _fates(card: Content) -> dict[str, str]:
    """Name the rows of the table of fates: found, used as which split, dropped and why."""
    used = sorted({end for ends in card["found"].values() for end in ends if end not in FATES})
    named = {end: end.replace("_", " ") for end in used if end != "queries"}
    dropped = {fate: f"dropped: {why}" for fate, why in FATES.items()}
    return {"queries": "found in the files", **named, **dropped}


def _ordered(columns: Content) -> Content:
    """Put train first, then dev, then the others; passages come before queries."""
    ranks = {"passages": 0, "train": 1, "dev": 2}
    names = sorted(columns, key=lambda name: (ranks.get(name.removeprefix("queries_"), 3), name))
    return {name: columns[name] for name in names}


def _histograms(card: Content) -> Content:
    return {
        split: {f"{number} relevant": count for number, count in of["queries_by_positives"].items()}
        for split, of in _ordered(card["splits"]).items()
    }


def _grades(card: Content) -> Content:
    splits = _ordered(card["splits"])
    return {
        split: {f"grade {grade}": count for grade, count in of["grades"].items()}
        for split, of in splits.items()
    }


def _section(title: str, words: dict[str, str], columns: Content) -> list[str]:
    """Give a table: a row for each figure that some column has, in the order of `words`."""
    rows = list(words) or list(dict.fromkeys(key for of in columns.values() for key in of))
    shown = [row for row in rows if any(row in of for of in columns.values())]
    heads = [name.replace("_", " ") for name in columns]
    lines = [f"## {title}", "", f"| | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for row in shown:
        cells = (_cell(of.get(row, 0 if row in FATES else "")) for of in columns.values())
        lines.append(f"| {words.get(row, row.replace('_', ' '))} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
