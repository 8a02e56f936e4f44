"""What text is split into: words, word pieces or characters.

The vocabulary's folder keeps its unit, so that whatever turns text into ids later (tokenize,
search) splits exactly as the words were counted, whatever params.yaml says by then.

    unit = choose("words", lower_case=True, folder=folder)
    words = splitter(unit)(texts)
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from twotower.artifacts import Unit
from twotower.errors import DataError
from twotower.text import wordpieces
from twotower.text.characters import split_characters
from twotower.text.words import Splitter, split_words

UNITS = ("words", "wordpieces", "characters")


def choose(name: str, *, lower_case: bool, folder: Path) -> Unit:
    """Give one of UNITS, complete and able to split.

    folder: where the vectors lie; for word pieces a tokenizer.json is looked for in it, at any
    depth, the uppermost first. Raises DataError if that is missing or malformed.
    """
    if name != "wordpieces":
        return Unit(name, lower_case)
    found = sorted(folder.rglob("tokenizer.json"), key=lambda path: (len(path.parts), path))
    if not found:
        raise DataError(f"{folder}: tokenizer.json is missing; {wordpieces.REMEDY}")
    try:
        unit = Unit(name, lower_case, found[0].read_bytes().decode("utf-8"))
        splitter(unit)
    except UnicodeDecodeError as error:
        fault = f"not UTF-8 ({error.reason} at byte {error.start})"
        raise DataError(f"{found[0]}: {fault}; {wordpieces.REMEDY}") from None
    except DataError as error:
        raise DataError(f"{found[0]}: {error}") from None
    return unit


def splitter(unit: Unit) -> Splitter:
    """Give what splits texts into a unit."""
    if unit.name == "wordpieces":
        return wordpieces.splitter(unit.tokenizer or "")
    split = {"words": split_words, "characters": split_characters}[unit.name]
    return partial(split, lower_case=unit.lower_case)
