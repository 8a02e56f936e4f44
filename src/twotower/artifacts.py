"""Every artefact's path, form, reader and writer: the contract between the stages, in one place.

Paths are relative to the repository's root, where DVC runs each stage. Tables need polars, which is
imported only where one is read or written, so that a bare GPU machine can read token stores.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twotower.errors import DataError
from twotower.files import (
    copy_file,
    read_array,
    read_json,
    write_array,
    write_json,
    writing_folder,
)

if TYPE_CHECKING:
    import polars as pl

PARAMS = Path("params.yaml")
RAW = Path("data/raw")
CORPUS = Path("data/corpus")
VECTORS = Path("data/vectors")
VOCAB = Path("data/vocab")
TOKENS = Path("data/tokens")
BM25 = Path("data/bm25")
UNTRAINED = Path("data/untrained")
MINED = Path("data/mined")
MODEL = Path("data/model")
TRAINING = Path("data/training")
EMBEDDINGS = Path("data/embeddings")
INDEX = Path("data/index")
EVALUATION = Path("data/evaluation")
DATA_CARD = Path("metrics/data.json")
DATA_PAGE = Path("metrics/data.md")
METRICS = Path("metrics/evaluation.json")
RECALL_CURVES = Path("metrics/recall_at_k")

STAGE_OUTPUTS: dict[str, tuple[Path, ...]] = {
    "download": (RAW,),
    "prepare": (CORPUS,),
    "vectors": (VECTORS,),
    "vocab": (VOCAB,),
    "tokenize": (TOKENS,),
    "describe": (DATA_CARD, DATA_PAGE),
    "bm25": (BM25,),
    "untrained": (UNTRAINED,),
    "mine": (MINED,),
    "train": (MODEL, TRAINING),
    "embed": (EMBEDDINGS,),
    "index": (INDEX,),
    "evaluate": (EVALUATION, METRICS, RECALL_CURVES),
}
"""What each stage of dvc.yaml writes; a test compares the two."""

PAD, UNK = 0, 1
"""The two reserved token ids: padding (never part of a text) and any word without an id."""
ROW_GROUP = 262_144
"""Rows of a Parquet file that stand together."""
SPECIAL = ("<pad>", "<unk>")
"""How the table of words spells them; text that is spelt so is an unknown word, never these."""


def root() -> Path:
    """Give the repository that a stage belongs to, even where it runs in a copy of it."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def scratch() -> Path:
    """Give the folder for what may be lost: no stage depends on what lies there."""
    return root() / ".twotower"


def require(path: Path, made_by: str) -> Path:
    """Give `path` back if it exists, else raise with the stage that makes it."""
    if not path.exists():
        raise DataError(f"{path} is missing: `dvc repro` makes it, in stage {made_by}")
    return path


def is_smoke(path: Path = RAW) -> bool:
    """Whether the raw files are a smoke set: figures on it say only that the pipeline works."""
    return bool(read_json(require(path, "download") / "source.json")["smoke"])


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a Parquet file whose bytes follow from its rows alone.

    Left to itself, polars makes row groups of the pieces that its threads worked on, and so another
    number of cores would be another file.
    """
    table.rechunk().write_parquet(path, row_group_size=ROW_GROUP)


@dataclass(frozen=True)
class Corpus:
    """The canonical corpus, whatever the source."""

    passages: pl.DataFrame
    """pid int64, text; one pid a distinct text. source_id too, where pids are not the source's."""
    queries: pl.DataFrame
    """qid int64, text, split; each has at least one relevant passage. source_id likewise."""
    qrels: pl.DataFrame
    """qid int64, pid int64, grade int32, split; 1 and above is relevant, 0 is known not to be."""
    counts: dict[str, Any]
    """What was found, dropped and why."""


def write_corpus(corpus: Corpus, path: Path = CORPUS) -> None:
    """Write the corpus folder."""
    with writing_folder(path) as folder:
        write_table(folder / "passages.parquet", corpus.passages)
        write_table(folder / "queries.parquet", corpus.queries)
        write_table(folder / "qrels.parquet", corpus.qrels)
        write_json(folder / "counts.json", corpus.counts)


def read_corpus(path: Path = CORPUS, *, passage_texts: bool = True) -> Corpus:
    """Read the corpus folder; without passage_texts the passages are their pids alone."""
    import polars as pl

    require(path, "prepare")
    columns = ["pid", "text"] if passage_texts else ["pid"]
    return Corpus(
        passages=pl.read_parquet(path / "passages.parquet", columns=columns),
        queries=pl.read_parquet(path / "queries.parquet"),
        qrels=pl.read_parquet(path / "qrels.parquet"),
        counts=read_json(path / "counts.json"),
    )


@dataclass(frozen=True)
class Unit:
    """What text is split into before words are looked up; `text/units.py` does it."""

    name: str
    """words, wordpieces or characters."""
    lower_case: bool
    """words and characters: of lower-cased text; word pieces do as their tokenizer says."""
    tokenizer: str | None = None
    """wordpieces: the content of the tokenizer.json that cuts them."""


@dataclass(frozen=True)
class Vocabulary:
    """The token ids: row i of `words` is the word with id i."""

    words: pl.DataFrame
    """word, count int64 (occurrences), df int64 (passages that hold it); <pad> and <unk> first."""
    identity_W: np.ndarray
    """int64, which thing each word is to the towers; 0 is none (`text/identities.py`)."""
    pretrained_VE: np.ndarray
    """float32 rows of ids 0..V-1 that have a pretrained vector; later ids have none."""
    counts: dict[str, Any]
    """Words of the corpus and of the vector file, and the corpus's tokens."""
    unit: Unit
    """What "word" means here."""


def write_vocabulary(vocabulary: Vocabulary, path: Path = VOCAB) -> None:
    """Write the vocabulary folder."""
    with writing_folder(path) as folder:
        write_table(folder / "words.parquet", vocabulary.words)
        write_array(folder / "pretrained.npy", vocabulary.pretrained_VE)
        write_array(folder / "df.npy", vocabulary.words["df"].to_numpy())
        write_array(folder / "identity.npy", vocabulary.identity_W)
        write_json(folder / "counts.json", vocabulary.counts)
        unit = vocabulary.unit
        write_json(folder / "unit.json", {"name": unit.name, "lower_case": unit.lower_case})
        if unit.tokenizer is not None:
            (folder / "tokenizer.json").write_bytes(unit.tokenizer.encode("utf-8"))


def read_unit(path: Path = VOCAB) -> Unit:
    """Read what text was split into, to split other texts alike."""
    unit = Unit(**read_json(require(path / "unit.json", "vocab")))
    if unit.name != "wordpieces":
        return unit
    content = require(path / "tokenizer.json", "vocab").read_bytes()
    return replace(unit, tokenizer=content.decode("utf-8"))


def read_words(path: Path = VOCAB) -> pl.DataFrame:
    """Read the table of words alone: with `read_unit`, all that turning text into ids needs."""
    import polars as pl

    return pl.read_parquet(require(path, "vocab") / "words.parquet")


def copy_words(folder: Path, path: Path = VOCAB) -> None:
    """Copy what turning text into ids needs into a model's folder, where `read_words` finds it."""
    for name in ("words.parquet", "unit.json", "tokenizer.json"):
        if (require(path, "vocab") / name).exists():
            copy_file(path / name, folder / name)


def count_pretrained(path: Path = VOCAB) -> int:
    """Say how many of the first ids have a pretrained vector; `<pad>` and `<unk>` count."""
    return len(read_array(require(path, "vocab") / "pretrained.npy", memory_map=True))


@dataclass(frozen=True)
class WordVectors:
    """What the towers start from: numpy arrays alone."""

    pretrained_VE: np.ndarray
    """float32, rows of the first ids; see Vocabulary."""
    df_W: np.ndarray
    """int64, passages that hold each word, for all W ids."""
    identity_W: np.ndarray
    """int64, the identity of each word, 0 for none."""
    df_I: np.ndarray
    """int64, passages that hold each identity."""
    mean_length: float
    """Tokens with an identity that a passage has, mean."""
    passages: int
    """How many passages were counted."""


def read_word_vectors(vocab: Path = VOCAB, tokens: Path = TOKENS) -> WordVectors:
    """Read the arrays of the vocabulary, and what was counted of the tokens; needs no polars."""
    require(vocab, "vocab")
    require(tokens, "tokenize")
    return WordVectors(
        pretrained_VE=read_array(vocab / "pretrained.npy"),
        df_W=read_array(vocab / "df.npy"),
        identity_W=read_array(vocab / "identity.npy"),
        df_I=read_array(tokens / "identity_df.npy"),
        mean_length=float(read_json(tokens / "identities.json")["mean_a_passage"]),
        passages=int(read_json(vocab / "counts.json")["passages"]),
    )


def read_identities(path: Path = VOCAB) -> np.ndarray:
    """Read the identity of each word: int64 (W,)."""
    return read_array(require(path, "vocab") / "identity.npy")


@dataclass(frozen=True)
class TokenStore:
    """Texts as token ids, one after the other, without padding.

    Text i is ids[offsets[i]:offsets[i + 1]]; it has at least one token.
    """

    ids: np.ndarray
    """int32 (total tokens,)"""
    offsets: np.ndarray
    """int64 (texts + 1,)"""

    def __len__(self) -> int:
        """Texts."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 (texts,), tokens a text."""
        lengths: np.ndarray = np.diff(self.offsets)
        return lengths

    def take(self, rows: np.ndarray) -> TokenStore:
        """Give the chosen texts, in the order of `rows`, as a store of their own."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        where = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        return TokenStore(self.ids[where], offsets)


def write_tokens(
    stores: dict[str, TokenStore],
    counts: dict[str, Any],
    identities: tuple[np.ndarray, float],
    path: Path = TOKENS,
) -> None:
    """Write named token stores (passages, queries) to one folder.

    identities: df of each and how many a passage has, counted in the passages' tokens.
    """
    with writing_folder(path) as folder:
        for name, store in stores.items():
            write_array(folder / f"{name}.ids.npy", store.ids)
            write_array(folder / f"{name}.offsets.npy", store.offsets)
        write_json(folder / "counts.json", counts)
        write_array(folder / "identity_df.npy", identities[0])
        write_json(folder / "identities.json", {"mean_a_passage": identities[1]})


def read_tokens(name: str, path: Path = TOKENS) -> TokenStore:
    """Read one token store, ids memory-mapped; rows follow the corpus table of that name."""
    require(path, "tokenize")
    ids = read_array(path / f"{name}.ids.npy", memory_map=True)
    return TokenStore(ids, read_array(path / f"{name}.offsets.npy"))


def write_runs(runs: dict[str, pl.DataFrame], path: Path) -> None:
    """Write runs by their system's name: qid int64, pid int64, score float32, best first."""
    with writing_folder(path) as folder:
        for system, run in runs.items():
            write_table(folder / f"{system}.parquet", run)


def read_runs(path: Path, made_by: str) -> dict[str, pl.DataFrame]:
    """Read every run of a folder."""
    import polars as pl

    files = sorted(require(path, made_by).glob("*.parquet"))
    return {file.stem: pl.read_parquet(file) for file in files}


def write_embeddings(
    shape: tuple[int, int],
    fill: Callable[[np.ndarray], object],
    origin: dict[str, str],
    path: Path = EMBEDDINGS,
) -> None:
    """Write the passage matrix, float32, row i for row i of the passages; `fill` sets its rows.

    The rows go to disk as they are made, so the matrix need not fit in memory. origin: the
    fingerprint of the towers that made it (model), and how they compare vectors (similarity).
    """
    with writing_folder(path) as folder:
        write_json(folder / "origin.json", origin)
        matrix = np.lib.format.open_memmap(folder / "passages.npy", "w+", np.float32, shape)
        fill(matrix)
        matrix.flush()


def read_embeddings(path: Path = EMBEDDINGS) -> tuple[np.ndarray, dict[str, str]]:
    """Give the passage matrix, memory-mapped, and its origin; see `write_embeddings`."""
    matrix = read_array(require(path, "embed") / "passages.npy", memory_map=True)
    return matrix, dict(read_json(path / "origin.json"))


def write_training_log(
    steps: list[dict[str, float]], epochs: list[dict[str, float]], path: Path = TRAINING
) -> None:
    """Write steps.csv and epochs.csv, the curves that `dvc plots` draws; they hold no times."""
    import polars as pl

    with writing_folder(path) as folder:
        for name, rows in (("steps", steps), ("epochs", epochs)):
            table = pl.DataFrame(rows, infer_schema_length=None)
            table.with_columns(pl.col(pl.Float64).round(6)).write_csv(folder / f"{name}.csv")


def read_epochs(path: Path = TRAINING) -> pl.DataFrame:
    """Read the curve of the epochs."""
    import polars as pl

    return pl.read_csv(require(path, "train") / "epochs.csv")
