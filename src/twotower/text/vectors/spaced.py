"""Words with blanks in them, such as GloVe 840B's ". . .": the same blanks separate its numbers.

The last `width` blanks of a line separate numbers; all others belong to the word. They are
replaced by a control character that the block lacks, so that a CSV reader can read the block, and
put back in the words that it gives. All of this is done on whole blocks.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from twotower.text.vectors.faults import NUMBER_PATTERN

NEWLINE, BLANK = 0x0A, 0x20
STAND_INS = [*range(0x01, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]
"""Control characters that neither end a line nor separate."""


def tidied(block: bytes, width: int) -> tuple[bytes, str]:
    """Give whole lines with `width` blanks each, and what stands for the other blanks, or "".

    A single blank at a line's end, as word2vec's own program writes it, is dropped. Lines with too
    few blanks stay as they are.
    """
    if _is_even(block, width):
        return block, ""
    block = block.replace(b" \n", b"\n").replace(b" \r\n", b"\r\n")
    if _is_even(block, width):
        return block, ""
    stand_in = next((byte for byte in STAND_INS if byte not in block), None)
    if stand_in is None:
        return block, ""
    return _with_stand_in(block, width, stand_in), chr(stand_in)


def _is_even(block: bytes, width: int) -> bool:
    """Whether there are as many blanks as there should be; quick, and true of most blocks."""
    bytes_B = np.frombuffer(block, np.uint8)
    lines = np.count_nonzero(bytes_B == NEWLINE)
    return bool(np.count_nonzero(bytes_B == BLANK) == lines * width)


def _with_stand_in(block: bytes, width: int, stand_in: int) -> bytes:
    bytes_B = np.frombuffer(block, np.uint8).copy()
    blank_S = np.flatnonzero(bytes_B == BLANK)
    until_L = np.searchsorted(blank_S, np.flatnonzero(bytes_B == NEWLINE))
    first_L = np.concatenate([[0], until_L[:-1]])
    beyond_L = until_L - first_L - width
    for line in np.flatnonzero(beyond_L > 0):
        first = first_L[line]
        bytes_B[blank_S[first : first + beyond_L[line]]] = stand_in
    return bytes_B.tobytes()


def are_words(words: pl.Series, stand_in: str) -> bool:
    """Whether none ends in a blank or in a number, which would be one number too many.

    A word may be nothing but blanks: among characters, the blank is one.
    """
    ending = f"{stand_in}{NUMBER_PATTERN}$|[^{stand_in}]{stand_in}+$"
    return not words.str.contains(ending).any()


def with_blanks(words: pl.Series, stand_in: str) -> pl.Series:
    """Put the blanks back."""
    return words.str.replace_all(stand_in, " ", literal=True)
