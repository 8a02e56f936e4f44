"""Mending text that was decoded wrongly before it was saved: `donâ€™t` for `don’t` (mojibake).

MS MARCO's passage-ranking files have it in about one passage of nine. ftfy, a kept library, finds
and undoes it; it leaves text alone that is not clearly of this kind.
"""

from __future__ import annotations

import polars as pl

from twotower.progress import progress

NOT_ASCII = r"[^\x00-\x7F]"
BLOCK_TEXTS = 10_000


def mended(texts: pl.Series) -> tuple[pl.Series, int]:
    """Give the texts with their encoding mended, and how many changed.

    Only texts that are not plain ASCII are looked at, one by one: no others can be affected.
    """
    from ftfy import fix_encoding

    doubtful = texts.to_frame("text").with_row_index("row")
    doubtful = doubtful.filter(pl.col("text").str.contains(NOT_ASCII))
    rows, repaired = [], []
    with progress(len(doubtful), "texts", "mending encodings") as bar:
        for block in doubtful.iter_slices(BLOCK_TEXTS):
            for row, text in block.iter_rows():
                mended_text = fix_encoding(text)
                if mended_text != text:
                    rows.append(row)
                    repaired.append(mended_text)
            bar.update(len(block))
    return texts.clone().scatter(rows, repaired) if rows else texts, len(rows)
