"""BEIR's and MTEB's view of a model: small stand-ins of what they call, neither package itself."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import small_model
import torch
from small_model import WIDTH

from twotower.benchmarks import BeirEncoder, MtebEncoder
from twotower.encoder import TextEncoder
from twotower.errors import ConfigError, DataError, TwoTowerError
from twotower.files import fingerprint

QUERIES = ["w3 w4", "w9", "unheard of"]
DOCUMENTS = [
    {"title": "w3", "text": "w4 w5 w30"},
    {"title": "", "text": "w7"},
    {"text": "w9 w38"},
    {"title": "w39", "text": ""},
    {"title": None, "text": "w11"},
]
JOINED = ["w3 w4 w5 w30", "w7", "w9 w38", "w39", "w11"]


class PromptType(StrEnum):
    """MTEB's, of which a value is a text too."""

    query = "query"
    document = "document"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model.write(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TextEncoder:
    return TextEncoder.load(folder)


def beirs_search(built: BeirEncoder) -> list[int]:
    """Call a model as BEIR's exact search does: longest documents first, a chunk at a time."""
    options: dict[str, Any] = {"show_progress_bar": True, "convert_to_tensor": True}
    queries = built.encode_queries(QUERIES, batch_size=128, **options)
    order = sorted(range(len(DOCUMENTS)), key=lambda row: -len(JOINED[row]))
    chunks = [
        built.encode_corpus([DOCUMENTS[row] for row in rows], batch_size=128, **options)
        for rows in (order[:3], order[3:])
    ]
    vectors = [torch.tensor(part) for part in (queries, np.concatenate(chunks))]
    if built.score_function == "cos_sim":
        vectors = [torch.nn.functional.normalize(part, p=2, dim=1) for part in vectors]
    scores = torch.mm(vectors[0], vectors[1].T)
    return [order[row] for row in scores.argmax(1).tolist()]


@pytest.mark.parametrize(("kind", "name"), [("cosine", "cos_sim"), ("dot", "dot")])
def test_beirs_search_finds_what_the_model_finds(tmp_path: Path, kind: str, name: str) -> None:
    folder = small_model.write(tmp_path, similarity=kind, anchor=0.0)
    built, encoder = BeirEncoder(folder), TextEncoder.load(folder)
    assert built.score_function == name
    queries, documents = encoder.encode_queries(QUERIES), encoder.encode_documents(JOINED)
    best = encoder.similarity(queries, documents).argmax(1).tolist()
    assert beirs_search(built)[:2] == best[:2] == [0, 2]


def test_a_similarity_that_beir_has_not_is_refused(tmp_path: Path) -> None:
    folder = small_model.write(tmp_path, similarity="euclidean", anchor=0.0)
    with pytest.raises(TwoTowerError, match="is euclidean; BEIR scores by cosine or dot"):
        BeirEncoder(folder)


def test_beirs_documents_are_title_and_text(folder: Path, encoder: TextEncoder) -> None:
    built, expected = BeirEncoder(folder), encoder.encode_documents(JOINED)
    assert np.array_equal(built.encode_corpus(DOCUMENTS, 2), expected)
    columns = {name: [row.get(name) or "" for row in DOCUMENTS] for name in ("title", "text")}
    assert np.array_equal(built.encode_corpus(columns, batch_size=2), expected)
    del columns["title"]
    texts = encoder.encode_documents(columns["text"])
    assert np.array_equal(built.encode_corpus(columns, batch_size=2), texts)
    assert np.array_equal(built.encode_queries(QUERIES, 2), encoder.encode_queries(QUERIES))
    assert built.encode_corpus([], batch_size=2).shape == (0, WIDTH)


def loader(texts: list[str], size: int = 2) -> list[dict[str, Any]]:
    """MTEB's DataLoader: batches of columns."""
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    return [{"text": part, "id": list(map(str, range(len(part))))} for part in parts]


def mteb_encode(built: MtebEncoder, texts: list[str], prompt: PromptType | None) -> np.ndarray:
    """Call a model as MTEB's evaluators do."""
    return built.encode(
        loader(texts),
        task_metadata=SimpleNamespace(name="a task"),
        hf_split="test",
        hf_subset="default",
        prompt_type=prompt,
        batch_size=32,
        show_progress_bar=False,
    )


def test_mtebs_texts_go_to_the_tower_of_their_side(folder: Path, encoder: TextEncoder) -> None:
    built = MtebEncoder(folder)
    queries, documents = encoder.encode_queries(JOINED), encoder.encode_documents(JOINED)
    assert np.array_equal(mteb_encode(built, JOINED, PromptType.query), queries)
    assert np.array_equal(mteb_encode(built, JOINED, PromptType.document), documents)
    assert np.array_equal(mteb_encode(built, JOINED, None), documents)
    assert not np.allclose(queries, documents)
    assert mteb_encode(built, [], PromptType.query).shape == (0, WIDTH)


def test_a_task_without_texts_is_a_clear_error(folder: Path) -> None:
    with pytest.raises(TwoTowerError, match="MTEB's task gives image, id; only text"):
        MtebEncoder(folder).encode([{"image": [0], "id": ["a"]}])


@pytest.mark.parametrize("kind", ["cosine", "dot", "euclidean"])
def test_mtebs_similarities_are_the_models(tmp_path: Path, kind: str) -> None:
    folder = small_model.write(tmp_path, similarity=kind, anchor=0.0)
    built, encoder = MtebEncoder(folder), TextEncoder.load(folder)
    queries, documents = encoder.encode_queries(JOINED), encoder.encode_documents(JOINED)
    expected = encoder.similarity(queries, documents)
    for convert in (np.asarray, torch.from_numpy):
        scores = built.similarity(convert(queries), convert(documents))
        assert np.array_equal(scores.numpy(), expected)
        pairwise = built.similarity_pairwise(convert(queries), convert(documents))
        assert pairwise.numpy() == pytest.approx(expected.diagonal(), abs=1e-6)
        assert (pairwise.shape, pairwise.dtype) == ((5,), torch.float32)
        alone = built.similarity(convert(queries)[1], convert(documents)[2])
        assert float(alone) == pytest.approx(expected[1, 2], abs=1e-6)
    with pytest.raises(ValueError, match="longer"):
        built.similarity_pairwise(queries[:2], documents)


class Meta:
    """Stands for mteb's ModelMeta."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    @classmethod
    def create_empty(cls, overwrites: dict[str, Any]) -> Meta:
        return cls(overwrites)


def known_of(built: MtebEncoder, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    module = ModuleType("mteb.models.model_meta")
    module.ModelMeta, module.ScoringFunction = Meta, str.upper  # type: ignore[attr-defined]
    for name in ("mteb", "mteb.models"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "mteb.models.model_meta", module)
    known: dict[str, Any] = built.mteb_model_meta.known
    return known


def test_what_mteb_keeps_names_the_model_by_its_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MTEB gives figures that it kept under that name and revision, and measures nothing."""
    known = known_of(MtebEncoder(folder), monkeypatch)
    assert known == {
        "name": "twotower/model",
        "revision": f"{fingerprint(folder)}-{WIDTH}",
        "embed_dim": WIDTH,
        "framework": ["PyTorch"],
        "similarity_fn_name": "COSINE",
        "use_instructions": False,
    }
    trained_anew = known_of(MtebEncoder(small_model.write(tmp_path, seed=4)), monkeypatch)
    cut = known_of(MtebEncoder(folder, width=4), monkeypatch)
    assert len({each["revision"] for each in (known, trained_anew, cut)}) == 3
    assert known_of(MtebEncoder(folder, "mine"), monkeypatch)["revision"] == "mine"


def test_both_can_cut_their_vectors(folder: Path, encoder: TextEncoder) -> None:
    queries, documents = (
        encode(JOINED, width=4) for encode in (encoder.encode_queries, encoder.encode_documents)
    )
    beir, mteb = BeirEncoder(folder, width=4), MtebEncoder(folder, width=4)
    assert np.array_equal(beir.encode_queries(JOINED), queries)
    assert np.array_equal(beir.encode_corpus({"text": JOINED}), documents)
    assert np.array_equal(mteb_encode(mteb, JOINED, PromptType.query), queries)
    assert np.array_equal(mteb_encode(mteb, JOINED, PromptType.document), documents)


@pytest.mark.parametrize("kind", [BeirEncoder, MtebEncoder])
def test_folder_and_device_are_those_of_the_encoder(
    kind: type, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"config\.json is missing"):
        kind(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="cuda was asked for"):
        kind(folder, device="cuda")


def test_neither_package_is_needed() -> None:
    check = "import sys, twotower.benchmarks; sys.exit(bool({'mteb', 'beir'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
