"""A model's folder as an encoder: the pipeline's own vectors, whatever the company of a text."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_model
import small_tokenizer
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_model import WIDTH

from twotower.artifacts import read_unit, read_words
from twotower.encoder import FILES, TextEncoder
from twotower.errors import ConfigError, DataError, TwoTowerError
from twotower.text.tokenizer import Tokenizer
from twotower.text.units import splitter
from twotower.towers import model
from twotower.towers.encode import encode

TEXTS = ["w3 w4 w5 w30", "W7", "", "nothing known", "w9 w9 w38 and w2, w9 w11 w12 w13 w14", "w39"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model.write(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TextEncoder:
    return TextEncoder.load(folder)


def by_the_pipeline(folder: Path, texts: list[str], side: str, width: int = 0) -> np.ndarray:
    """What tokenize and embed do; `side` is queries or passages."""
    towers = model.load(folder)
    limits = small_model.LIMITS
    limit = limits.max_query_tokens if side == "queries" else limits.max_passage_tokens
    tokenizer = Tokenizer(read_words(folder), splitter(read_unit(folder)))
    store = tokenizer(pl.Series(texts, dtype=pl.String), limit).store
    tower = partial(getattr(towers, side), width=width)
    cpu = torch.device("cpu")
    return encode(tower, store, towers.cut_width(width), cpu, batch_tokens=17)


@pytest.mark.parametrize("width", [0, 4])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share": "nothing", "similarity": "dot", "anchor": 0.0},
        {"encoder": "gru", "similarity": "euclidean", "anchor": 0.0},
        {"projection": 6, "share": "table", "anchor": 0.0},
    ],
)
def test_vectors_are_the_pipelines(tmp_path: Path, changes: dict[str, Any], width: int) -> None:
    folder = small_model.write(tmp_path, **changes)
    encoder = TextEncoder.load(folder)
    for side, vectors in (
        ("queries", encoder.encode_queries(TEXTS, width=width)),
        ("passages", encoder.encode_documents(TEXTS, width=width)),
    ):
        expected = by_the_pipeline(folder, TEXTS, side, width)
        assert vectors == pytest.approx(expected, abs=1e-6)
        assert vectors.shape == (len(TEXTS), width or encoder.width)
        assert vectors.dtype == np.float32
        assert len({row.tobytes() for row in vectors}) >= len(TEXTS) - 1, "two have no known word"


def test_queries_and_documents_are_cut_at_their_own_lengths(encoder: TextEncoder) -> None:
    cut, longer = "w3 w4 w5", "w3 w4 w5 w6"
    assert np.array_equal(*encoder.encode_queries([cut, longer]))
    assert not np.array_equal(*encoder.encode_documents([cut, longer]))


@given(st.permutations(range(len(TEXTS))), st.integers(1, len(TEXTS)))
def test_order_and_company_never_matter(encoder: TextEncoder, order: list[int], size: int) -> None:
    for encode_texts in (encoder.encode_queries, encoder.encode_documents):
        together = encode_texts(TEXTS)
        chosen = order[:size]
        some = encode_texts([TEXTS[row] for row in chosen])
        assert some == pytest.approx(together[chosen], abs=1e-5)


@pytest.mark.parametrize("texts", [[], (), np.array([], np.str_)])
def test_no_texts_give_no_rows(encoder: TextEncoder, texts: Any) -> None:
    for vectors in (encoder.encode_queries(texts), encoder.encode_documents(texts)):
        assert (vectors.shape, vectors.dtype) == ((0, WIDTH), "float32")


def test_other_sequences_of_texts_will_do(encoder: TextEncoder) -> None:
    expected = encoder.encode_queries(["w3", "w4"])
    for texts in (("w3", "w4"), np.array(["w3", "w4"]), pl.Series(["w3", "w4"])):
        assert np.array_equal(encoder.encode_queries(texts), expected)


def test_a_text_without_a_known_word_has_a_vector(encoder: TextEncoder) -> None:
    """It is one <unk> or more, which has no identity: only the passages' anchor is left of it."""
    none = ["", " \n", "unheard of", "\x00", "<pad> <unk>"]
    assert not encoder.encode_queries(none).any()
    anchor = np.eye(WIDTH, dtype=np.float32)[:1]
    assert encoder.encode_documents(none) == pytest.approx(anchor.repeat(len(none), 0), abs=1e-6)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["w3", 7], r"texts\[1\] is 7 \(int\); expected a text"),
        ([None, "w3"], r"texts\[0\] is None \(NoneType\)"),
        (["w3", ["w4"]], r"texts\[1\] is \['w4'\] \(list\)"),
        (["w3", b"w4"], r"texts\[1\] is b'w4' \(bytes\)"),
        ("w3 w4", "'w3 w4' is one text; expected a list of texts"),
        (["w3", "w\udcff"], r"texts\[1\] is not Unicode \(surrogates not allowed at character 1\)"),
        (["w3", 10**99], r"texts\[1\] is 10{49} \(int\)"),
    ],
)
def test_what_is_no_text_is_named_by_its_place(
    encoder: TextEncoder, texts: Any, message: str
) -> None:
    for encode_texts in (encoder.encode_queries, encoder.encode_documents):
        with pytest.raises(TwoTowerError, match=message):
            encode_texts(texts)


def test_a_cut_vector_is_the_first_numbers_and_ready_to_be_scored(encoder: TextEncoder) -> None:
    whole, cut = (encoder.encode_documents(["w3 w4", "w7"], width=width) for width in (0, 5))
    first = whole[:, :5] / np.linalg.norm(whole[:, :5], axis=1, keepdims=True)
    assert cut == pytest.approx(first, abs=1e-6)
    assert np.array_equal(encoder.encode_documents(["w3 w4", "w7"], width=WIDTH), whole)
    for width in (-1, WIDTH + 1):
        with pytest.raises(TwoTowerError, match=f"width is {width}; expected 1 to {WIDTH}, or 0"):
            encoder.encode_queries(["w3"], width=width)


def slow_score(query: np.ndarray, passage: np.ndarray, kind: str) -> float:
    """Of vectors before they are finished."""
    if kind == "euclidean":
        return -float(np.sqrt(((query - passage) ** 2).sum()))
    lengths = np.linalg.norm(query) * np.linalg.norm(passage) if kind == "cosine" else 1.0
    return float(query @ passage / lengths)


@pytest.mark.parametrize("kind", ["cosine", "dot", "euclidean"])
def test_similarity_is_the_one_that_training_scores_with(tmp_path: Path, kind: str) -> None:
    folder = small_model.write(tmp_path, similarity=kind, anchor=0.0)
    encoder, towers = TextEncoder.load(folder), model.load(folder)
    texts = ["w3 w4 w5", "w7", "w9 w9 w38", "w39"]
    queries, documents = encoder.encode_queries(texts[:3]), encoder.encode_documents(texts)
    scores = encoder.similarity(queries, documents)
    assert (scores.shape, scores.dtype) == ((3, 4), "float32")
    assert encoder.similarity_kind == kind
    trained = towers.score(torch.from_numpy(queries), torch.from_numpy(documents)).numpy()
    assert np.array_equal(scores, trained)
    tokens = [tiny.store([[int(word[1:]) for word in text.split()]]) for text in texts]
    raw = [
        [side(torch.from_numpy(t.ids).long(), torch.from_numpy(t.lengths))[0] for t in tokens]
        for side in (towers.query, towers.passage)
    ]
    slow = [
        [slow_score(q.detach().numpy(), p.detach().numpy(), kind) for p in raw[1]]
        for q in raw[0][:3]
    ]
    assert scores == pytest.approx(np.array(slow), abs=1e-5)


def test_the_folder_alone_is_enough(
    folder: Path, encoder: TextEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert sorted(path.name for path in copied.iterdir()) == sorted(FILES)
    for each in (copied, str(copied), "../elsewhere"):
        found = TextEncoder.load(each)
        assert np.array_equal(found.encode_documents(TEXTS), encoder.encode_documents(TEXTS))
        assert np.array_equal(found.encode_queries(TEXTS), encoder.encode_queries(TEXTS))
    assert not list(Path.cwd().iterdir())


def test_word_pieces_are_cut_by_the_folders_own_tokenizer(tmp_path: Path) -> None:
    pieces = ["<pad>", "<unk>", "cat", "##s", "the", *small_model.NAMES[5:]]
    folder = small_model.write(tmp_path, names=pieces, tokenizer=small_tokenizer.build().to_str())
    vectors = TextEncoder.load(folder).encode_documents(["the CATS"])
    ids, lengths = torch.tensor([4, 2, 3]), torch.tensor([3])
    expected = model.load(folder).passages(ids, lengths).detach().numpy()
    assert vectors == pytest.approx(expected, abs=1e-6)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"model/tokenizer\.json is missing"):
        TextEncoder.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied")
    (copied / name).unlink()
    with pytest.raises(DataError, match=f"copied/{name} is missing: .* in stage train"):
        TextEncoder.load(copied)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/config\.json is missing"):
        TextEncoder.load(tmp_path / "nowhere")


def test_the_device_is_chosen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device: cuda was asked for but is not available"):
        TextEncoder.load(folder, device="cuda")
    vectors = TextEncoder.load(folder, device="cpu").encode_queries(["w3"])
    assert np.array_equal(TextEncoder.load(folder).encode_queries(["w3"]), vectors)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_the_gpu_gives_the_same_vectors(folder: Path, encoder: TextEncoder) -> None:
    on_gpu = TextEncoder.load(folder, device="cuda")
    assert on_gpu.towers.table.weight_I.is_cuda
    expected = encoder.encode_documents(TEXTS)
    assert on_gpu.encode_documents(TEXTS) == pytest.approx(expected, abs=1e-5)
