"""Entities, facts and passages of the embedded sample data set (see sample.py).

In: the phrases and a ``Draw``. Out, from ``make_facts``: every attribute of every entity with the
passages that state it, some of them dirty (mojibake, control characters, non-Latin words).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

ENTITIES_PER_KIND = 365
REGION_STEMS = 90  # few, so that one region holds many entities
STATED_TWICE_SHARE = 0.03
MOJIBAKE_SHARE, FOREIGN_SHARE, CONTROL_SHARE = 0.02, 0.01, 0.01

T = TypeVar("T")
Phrases = dict[str, Any]


class Draw:
    """Random choices made from ``Random.random`` alone, the part Python keeps over versions."""

    def __init__(self, seed: int) -> None:
        """Start the sequence at ``seed``."""
        self._next = random.Random(seed).random

    def below(self, n: int) -> int:
        """Return an integer from 0 to n - 1."""
        return int(self._next() * n)

    def chance(self, share: float) -> bool:
        """Return True in ``share`` of the calls."""
        return self._next() < share

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in random order (Fisher-Yates)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed


@dataclass(frozen=True)
class Passage:
    """A passage text and the invented address it stands at."""

    text: str
    url: str


@dataclass(frozen=True)
class Fact:
    """One attribute of one entity, with the passages (one, rarely two) that state it."""

    entity: int
    name: str
    topic: tuple[str, str]  # kind and attribute
    value: str
    passages: tuple[Passage, ...]


def load_phrases() -> Phrases:
    """Read the phrases that stand beside this module."""
    text = Path(__file__).with_name("sample_phrases.yaml").read_text(encoding="utf-8")
    phrases: Phrases = yaml.safe_load(text)
    return phrases


def make_stems(names: Phrases, draw: Draw) -> list[str]:
    """Return all invented word stems in random order."""
    return draw.shuffled([start + end for start in names["starts"] for end in names["ends"]])


def _entity_names(kind: Phrases, stems: list[str], names: Phrases, draw: Draw) -> list[str]:
    """Return ENTITIES_PER_KIND distinct names; stems recur, so that names are partly ambiguous."""
    found: dict[str, None] = {}
    while len(found) < ENTITIES_PER_KIND:
        drug = "".join(draw.pick(names[part]) for part in ("drug_starts", "drug_middles"))
        drug += draw.pick(names["drug_ends"])
        form = draw.pick(kind["names"])
        found[form.replace("<stem>", draw.pick(stems)).replace("<drug>", drug)] = None
    return list(found)


def _value(spec: list[Any], names: Phrases, stems: list[str], draw: Draw) -> str:
    """Draw an attribute's value as its spec in the phrases file says."""
    form, *rest = spec
    if form == "number":
        low, high, step = rest
        return f"{low + step * draw.below((high - low) // step + 1):,}"
    if form == "year":
        return str(rest[0] + draw.below(rest[1] - rest[0] + 1))
    if form == "choice":
        return str(draw.pick(rest))
    if form == "hours":
        return f"{6 + draw.below(5)} a.m. until {1 + draw.below(7)} p.m."
    if form == "phone":
        return f"0{100 + draw.below(900)} {100 + draw.below(900)} {1000 + draw.below(9000)}"
    lead = {"person": draw.pick(names["first_names"]) + " ", "region": "", "town": ""}[form]
    tail = draw.pick(names["region_ends"]) if form == "region" else ""
    stem = draw.pick(stems[:REGION_STEMS] if form == "region" else stems)
    return f"{lead}{stem}{tail}"


def make_facts(phrases: Phrases, stems: list[str], draw: Draw) -> list[Fact]:
    """Return every attribute of every entity, stated in passages; entities count from 0."""
    facts, entity = [], 0
    for kind_name, kind in phrases["kinds"].items():
        for name in _entity_names(kind, stems, phrases["names"], draw):
            for attribute_name in kind["attributes"]:
                topic = (kind_name, attribute_name)
                value_spec = kind["attributes"][attribute_name]["value"]
                value = _value(value_spec, phrases["names"], stems, draw)
                passages = _passages(name, topic, value, phrases, draw)
                facts.append(Fact(entity, name, topic, value, passages))
            entity += 1
    return facts


def _passages(
    name: str, topic: tuple[str, str], value: str, phrases: Phrases, draw: Draw
) -> tuple[Passage, ...]:
    """Return the one passage, rarely two in different words, that states a fact."""
    kind_name, attribute_name = topic
    kind = phrases["kinds"][kind_name]
    templates = draw.shuffled(kind["attributes"][attribute_name]["passages"])
    url = f"https://example.org/{kind_name}/{name.lower().replace(' ', '-')}/{attribute_name}"
    return tuple(
        Passage(_passage_text(fill(template, name, value), kind, phrases, draw), url + suffix)
        for template, suffix in zip(templates, ("", "-2"), strict=False)
        if not suffix or draw.chance(STATED_TWICE_SHARE)
    )


def fill(template: str, name: str, value: str) -> str:
    """Put name and value into a template."""
    return template.replace("<name>", name).replace("<value>", value)


def _passage_text(statement: str, kind: Phrases, phrases: Phrases, draw: Draw) -> str:
    """Surround the statement with fillers (mostly none to two, at times five) and add dirt."""
    fillers = draw.shuffled(kind["fillers"])
    count = draw.pick((0, 0, 1, 1, 1, 1, 2, 2, 2, 5))
    count = max(count, 1) if len(statement.split()) < 15 else count
    before = draw.below(2) if count else 0
    sentences = [*fillers[:before], statement[0].upper() + statement[1:], *fillers[before:count]]
    if draw.chance(MOJIBAKE_SHARE):
        sentences.append(draw.pick(phrases["mojibake"]).encode().decode("cp1252", "replace"))
    if draw.chance(FOREIGN_SHARE):
        sentences.append(draw.pick(phrases["foreign"]))
    text = " ".join(sentences)
    if draw.chance(CONTROL_SHARE):
        return at_random_space(text, draw.pick("\t\n\x07\x1f\r"), draw)
    return text


def at_random_space(text: str, character: str, draw: Draw) -> str:
    """Add a character to one of the text's spaces."""
    words = text.split(" ")
    cut = 1 + draw.below(len(words) - 1)
    return " ".join(words[:cut]) + " " + character + " ".join(words[cut:])
