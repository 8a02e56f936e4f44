"""Mojibake: mended where it is clear, counted, and text that is sound is left alone."""

from __future__ import annotations

import polars as pl
import pytest
from small_corpus import build, labels_of, queries_of, raw

from twotower.data import repair
from twotower.data.repair import mended

SOUND = [
    "plain ASCII, 100%",
    "café, naïve, Ångström, São Paulo",
    "Don’t — “quote” … 5 €",
    "Η βαρύτητα έλκει.",
    "Гравитация притягивает.",
    "重力は引っ張る。",
    "الجاذبية تسحب.",
    "😀 grins",
    "100 £ or 5 ¢, ½ of it at 20\u00a0°C",
    "AT&amp;T <b>&#39;",
    "",
]
DAMAGED = {
    "donâ€™t": "don’t",
    "itâ€™s â€œnewâ€\x9d â€” trulyâ€¦": "it’s “new” — truly…",
    "cafÃ© and SÃ£o Paulo": "café and São Paulo",
    "doesn\x92t \x93so\x94": "doesn’t “so”",  # C1 controls for Windows-1252's quotes
    "donÃ¢â‚¬â„¢t": "don’t",  # twice
}


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_is_left_alone(text: str) -> None:
    found, count = mended(pl.Series([text]))
    assert (found.to_list(), count) == ([text], 0)


@pytest.mark.parametrize("damaged", DAMAGED)
def test_damaged_text_is_mended(damaged: str) -> None:
    found, count = mended(pl.Series(["a", damaged, "b"]))
    assert (found.to_list(), count) == (["a", DAMAGED[damaged], "b"], 1)


@pytest.mark.parametrize("codec", ["windows-1252", "latin-1"])
@pytest.mark.parametrize("text", ["It doesn’t matter — or not…", "naïve café", "20 °C à Genève"])
def test_utf8_read_as_another_encoding(text: str, codec: str) -> None:
    damaged = text.encode("utf-8").decode(codec)
    assert damaged != text
    assert mended(pl.Series([damaged]))[0].to_list() == [text]


@pytest.mark.parametrize(
    "text", ["Гравитация притягивает.", "重力は引っ張る。", "Η βαρύτητα έλκει."]
)
def test_other_scripts_read_as_latin_1(text: str) -> None:
    damaged = text.encode("utf-8").decode("latin-1")
    assert mended(pl.Series([damaged]))[0].to_list() == [text]


def test_every_block_is_mended_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "BLOCK_TEXTS", 3)
    texts = [f"café {i}" if i % 3 else f"donâ€™t {i}" for i in range(20)]
    texts[5:5] = ["plain"] * 4
    given = pl.Series("text", texts)
    found, count = mended(given)
    assert found.to_list() == [text.replace("â€™", "’") for text in texts]
    assert count == 7
    assert given.to_list() == texts


def test_texts_that_need_nothing_are_the_same_column() -> None:
    texts = pl.Series("text", ["a", "b"])
    assert mended(texts)[0] is texts
    assert mended(pl.Series("text", [], dtype=pl.String))[1] == 0


QUERIES = [(1, "donâ€™t cats purr?", "train"), (2, "cafÃ©", "dev"), (3, "DON’T CATS PURR?", "test")]
PASSAGES = [(10, "Cats donâ€™t."), (11, "Cats don’t."), (12, " Cats  don’t. "), (13, "Dogs do.")]
QRELS = [(1, 10, 0), (1, 11, 1), (1, 13, 0), (2, 10, 1), (3, 12, 1)]


def test_mended_texts_are_one_with_their_sound_twins() -> None:
    queries = [*QUERIES, (4, "another", "train")]
    built = build(raw(PASSAGES, queries, [*QRELS, (4, 13, 1)]), repair=True)
    assert built.passages.rows() == [(10, "Cats don’t."), (13, "Dogs do.")]
    # Query 1 is the test's, once it is mended.
    assert queries_of(built) == {
        ("another", "train"),
        ("café", "dev"),
        ("DON’T CATS PURR?", "test"),
    }
    assert labels_of(built) == {
        ("another", "Dogs do.", 1),
        ("café", "Cats don’t.", 1),
        ("DON’T CATS PURR?", "Cats don’t.", 1),
    }
    passages = built.counts["passages"]
    assert {name: passages[name] for name in ("found", "repeated", "kept", "repaired")} == {
        "found": 4,
        "repeated": 2,
        "kept": 2,
        "repaired": 1,
    }
    assert built.counts["queries_repaired"] == 2
    assert built.counts["found"]["train"]["repeated_in_other_split"] == 1


def test_nothing_is_mended_unasked() -> None:
    built = build(raw(PASSAGES, QUERIES, QRELS))
    assert built.passages["text"].to_list() == ["Cats donâ€™t.", "Cats don’t.", "Dogs do."]
    assert ("donâ€™t cats purr?", "train") in queries_of(built)
    assert built.counts["passages"]["repaired"] == built.counts["queries_repaired"] == 0
    assert built.counts["passages"]["not_ascii"] == 2
