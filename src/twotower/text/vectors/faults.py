"""What can be wrong with a vector file, said so that it can be mended.

In: a block of text that could not be parsed, or the start of a file. Out: an error that names the
first line that is wrong, or both widths where the whole file has another one than declared.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from twotower.errors import DataError

SNIFFED_LINES = 100
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?([0-9]+) ([0-9]+) ?\r?\n?")
NUMBER_PATTERN = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
NUMBER = re.compile(NUMBER_PATTERN)
NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
LARGEST = float(np.finfo(np.float32).max)
WIDEST = 2**16


def wrong_width(name: str, found: int, width: int) -> DataError:
    """Say that a file's vectors are of another width than declared."""
    return DataError(
        f"{name}: has {found} numbers a word, vectors.width is {width}: set it to {found}"
    )


def check_width(name: str, first_block: bytes, width: int) -> None:
    """Raise DataError if the first lines agree on another width.

    Only lines of nothing but numbers behind the word are asked; one line of the declared width is
    enough to leave the rest to the parser, which names the line that differs.
    """
    found: Counter[int] = Counter()
    for line in first_block.split(b"\n", SNIFFED_LINES)[:SNIFFED_LINES]:
        fields = line.decode("utf-8", errors="replace").removesuffix("\r").removesuffix(" ")
        _, *numbers = fields.split(" ")
        if all(NUMBER.fullmatch(number) for number in numbers):
            found[len(numbers)] += 1
    del found[0]
    if found and width not in found:
        raise wrong_width(name, found.most_common(1)[0][0], width)


def parse_header(line: bytes, name: str, width: int, hint: str) -> int:
    """Give the number of words that word2vec's first line states; raises DataError.

    hint: what to do if this is no such line.
    """
    found = HEADER.fullmatch(line)
    if not found:
        raise DataError(f"{name}: does not start with word2vec's two whole numbers; {hint}")
    words, numbers = int(found[1]), int(found[2])
    if not words or not 0 < numbers <= WIDEST:
        raise DataError(f"{name}: starts with {words} words of {numbers} numbers; {hint}")
    if numbers != width:
        raise wrong_width(name, numbers, width)
    return words


def first_fault(block: bytes, width: int, name: str, lines_before: int, error: str) -> DataError:
    """Name the first line of a block that is wrong; `error` is said if none is."""
    lines = block.removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, lines_before + 1):
        fault = _fault(line.removesuffix(b"\r").removesuffix(b" "), width, number)
        if fault:
            return DataError(f"{name}, line {number}: {fault}")
    return DataError(f"{name}, after line {lines_before}: {error}")


def _fault(line: bytes, width: int, line_number: int) -> str:
    """Say what is wrong with one line, or nothing."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        binary = "; for a binary file set vectors.format to word2vec-binary"
        hint = binary if line_number <= 2 else ""
        return f"not UTF-8 ({error.reason} at byte {error.start}){hint}"
    if line_number == 1 and HEADER.fullmatch(line) and width > 1:
        return "this is the header of word2vec's text format; set vectors.format to word2vec"
    if text != text.rstrip(" \t"):
        return "blanks or tabs at the line's end; remove them from the file"
    return _fault_of_fields(text.split(" "), width)


def _has_more(word: list[str]) -> bool:
    """Whether a word with blanks in it ends in a blank, or in what must be one more number."""
    return any(word) and len(word) > 1 and (not word[-1] or bool(NUMBER.fullmatch(word[-1])))


def _fault_of_fields(fields: list[str], width: int) -> str:
    where = f"word {fields[0][:40]!r}"
    if len(fields) <= width or _has_more(fields[:-width]):
        return (
            f"{where} has {len(fields) - 1} number(s) behind single blanks, "
            f"expected vectors.width = {width}"
        )
    for number in fields[-width:]:
        if NOT_FINITE.fullmatch(number):
            return f"{where} has a number that is NaN or infinite"
        if not NUMBER.fullmatch(number):
            return f"{where} has a field that is no number: {number[:40]!r}"
        if abs(float(number)) > LARGEST:
            return f"{where} has a number that is too large for float32: {number[:40]}"
    return ""
