"""Sources of vectors: what lands in the folder, and where GloVe comes from."""

from __future__ import annotations

import hashlib
import io
import json
import typing
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from fetching import surroundings
from http_server import Server

from twotower import config, contradictions, downloads
from twotower.config import Vectors
from twotower.data import sample
from twotower.downloads import Remote
from twotower.errors import DataError, DownloadError
from twotower.text.vectors import sources
from twotower.text.vectors.readers import read_vectors

OTHER_FIELDS = {"format": "auto", "window": 5, "epochs": 1}


def settings(source: str, width: int = 2, file: Path = Path("nowhere")) -> Vectors:
    return Vectors(source=source, width=width, file=str(file), **OTHER_FIELDS)


def fetched(vectors: Vectors, folder: Path) -> dict[str, bytes]:
    sources.fetch(vectors, {"sample": sample.write_word_vectors}, folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def packed(cat: str) -> bytes:
    """Give a zip of two widths; the two publishers' differ a little."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("glove.6B.50d.txt", f"the 1 2\n{cat} 3 4\n")
        archive.writestr("glove.6B.100d.txt", "the 1 2 3\n")
    return buffer.getvalue()


PATHS = {"/stanford/glove.6B.zip": packed("cat"), "/hub/glove.6B.zip": packed("Cat")}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """Both publishers of one GloVe zip, known by size and sha256."""
    surroundings(monkeypatch, tmp_path)
    with Server(dict(PATHS)) as server:
        remotes = tuple(
            Remote(server.url(path), len(body), f"sha256:{hashlib.sha256(body).hexdigest()}")
            for path, body in PATHS.items()
        )
        monkeypatch.setitem(sources.GLOVE, "glove-6B", remotes)
        yield server


def test_glove_is_fetched_once_and_read_in_each_width(server: Server, tmp_path: Path) -> None:
    files = fetched(settings("glove-6B", width=50), tmp_path / "a")
    assert list(files) == ["glove.6B.50d.txt", "source.json"]
    assert files["glove.6B.50d.txt"] == b"the 1 2\ncat 3 4\n"
    fetched(settings("glove-6B", width=100), tmp_path / "b")
    assert [request.path for request in server.requests] == ["/stanford/glove.6B.zip"]
    wanted = pl.Series("word", ["the", "cat"])
    assert len(read_vectors(tmp_path / "a", "auto", 2, wanted).words) == 2
    assert read_vectors(tmp_path / "b", "auto", 3, wanted).vectors_WE.tolist() == [[1, 2, 3]]


def test_the_second_publisher_serves_where_the_first_does_not(
    server: Server, tmp_path: Path
) -> None:
    server.files.pop("/stanford/glove.6B.zip")
    files = fetched(settings("glove-6B", width=50), tmp_path / "a")
    assert files["glove.6B.50d.txt"] == b"the 1 2\nCat 3 4\n"
    server.files["/stanford/glove.6B.zip"] = PATHS["/stanford/glove.6B.zip"]
    fetched(settings("glove-6B", width=50), tmp_path / "b")
    assert len(server.requests) == 2, "what is in the cache is not looked for elsewhere"


def test_where_nobody_serves_both_places_for_a_file_by_hand_are_named(
    server: Server, tmp_path: Path
) -> None:
    server.files.clear()
    with pytest.raises(DownloadError) as error:
        fetched(settings("glove-6B", width=50), tmp_path / "out" / "a")
    for remote in sources.GLOVE["glove-6B"]:
        assert str(downloads.place(remote)) in str(error.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_local_files_are_copied_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "v.txt").write_text("cats 1 2\n")
    files = fetched(settings("local", file=tmp_path / "my"), tmp_path / "a")
    assert files.pop("v.txt") == b"cats 1 2\n"
    assert json.loads(files.pop("source.json")) == {
        "source": "local",
        "format": "auto",
        "width": 2,
        "terms": sources.TERMS["local"],
        "files_bytes": {"v.txt": 9},
    }
    assert files == {}


def test_a_missing_local_file_names_the_parameter_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"vectors\.file: nowhere is neither"):
        fetched(settings("local"), tmp_path / "out" / "a")
    assert list((tmp_path / "out").iterdir()) == []


def test_random_vectors_are_no_file(tmp_path: Path) -> None:
    assert list(fetched(settings("random"), tmp_path / "a")) == ["source.json"]


def test_the_sample_has_vectors_of_its_own_width(tmp_path: Path) -> None:
    fetched(settings("sample", width=50), tmp_path / "a")
    assert len(read_vectors(tmp_path / "a", "auto", 50, pl.Series("word", ["the"])).words) == 1


def test_training_gets_a_place_that_is_found_again(tmp_path: Path) -> None:
    def train(folder: Path) -> None:
        (folder / "corpus.bin").write_bytes(b"1 2\ncat \x00\x00\x80\x3f\x00\x00\x00\x40")

    sources.fetch(settings("corpus"), {"corpus": train}, tmp_path / "a")
    read = read_vectors(tmp_path / "a", "auto", 2, pl.Series("word", ["cat"]))
    assert read.vectors_WE.tolist() == [[1, 2]]


def test_every_legal_source_has_terms_and_every_glove_two_places() -> None:
    hint = typing.get_type_hints(Vectors, include_extras=True)["source"]
    (legal,) = hint.__metadata__
    assert isinstance(legal, config.OneOf)
    assert set(legal.names) == set(sources.TERMS)
    assert {len(remotes) for remotes in sources.GLOVE.values()} == {2}
    assert {"sample", *sources.GLOVE} == set(contradictions.WIDTHS)
