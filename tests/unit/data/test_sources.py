"""Sources: bytes come as they are, only what a reader uses, and all or nothing."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_server import Fault, Server
from small_corpus import (
    DATA,
    LABELS,
    LOCAL,
    PASSAGES,
    QUERIES,
    build,
    files_of,
    labels_of,
    queries_of,
    tarred,
    write_beir,
    write_pairs,
    write_qna,
    write_tsv,
    zipped,
)

from twotower import transfer
from twotower.artifacts import is_smoke
from twotower.config import Download
from twotower.data import hub, readers, remote_files, sources
from twotower.downloads import Remote
from twotower.errors import DataError, DownloadError
from twotower.files import read_json

ARCHIVE, SET = "/collectionandqueries.tar.gz", "/scifact.zip"


@pytest.fixture
def given(tmp_path: Path) -> Download:
    """A source of the user's own: packed TSV files."""
    corpus = write_tsv(tmp_path / "corpus", packed=True)
    return dataclasses.replace(LOCAL, folder=str(corpus))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with Microsoft's archive and a BEIR set, which the sources' records name."""
    monkeypatch.setenv("TWOTOWER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TWOTOWER_OFFLINE", raising=False)
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.001)
    passage = tarred(write_tsv(tmp_path / "served"), tmp_path / "a.tar.gz", top="./").read_bytes()
    beir = zipped(write_beir(tmp_path / "set"), tmp_path / "a.zip", top="scifact/").read_bytes()
    with Server({ARCHIVE: passage, SET: beir}) as server:
        name_served(server, monkeypatch)
        yield server


def name_served(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the records name what the server has now."""

    def record(path: str) -> Remote:
        content = server.files[path]
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return Remote(server.url(path), len(content), f"md5:{digest}")

    monkeypatch.setattr(sources, "MSMARCO_PASSAGE", record(ARCHIVE))
    monkeypatch.setattr(sources, "BEIR", {"scifact": record(SET)})


def of_source(name: str, folder: Path | str = "nowhere") -> Download:
    return dataclasses.replace(LOCAL, source=name, folder=str(folder))


def test_local_files_are_copied_byte_for_byte(given: Download, tmp_path: Path) -> None:
    (tmp_path / "corpus" / "notes.txt").write_text("not the reader's")
    wanted = files_of(tmp_path / "corpus")
    wanted.pop("notes.txt")
    source = sources.download(given, tmp_path / "raw")
    assert files_of(tmp_path / "raw" / "corpus") == wanted
    assert not is_smoke(tmp_path / "raw")
    assert read_json(tmp_path / "raw" / "source.json") == {
        "source": "local",
        "smoke": False,
        "format": "passage-ranking",
        "terms": source.terms,
        "revision": "",
        "files_bytes": {name: len(content) for name, content in wanted.items()},
    }


def test_files_keep_their_folders(tmp_path: Path) -> None:
    write_beir(tmp_path / "set")
    sources.download(of_source("local", tmp_path / "set"), tmp_path / "raw")
    assert files_of(tmp_path / "raw" / "corpus") == files_of(tmp_path / "set")
    facts = read_json(tmp_path / "raw" / "source.json")
    assert facts["format"] == "beir"
    assert "qrels/train.tsv" in facts["files_bytes"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_gives_the_files_of_its_folder(
    tmp_path: Path, pack: Callable[[Path, Path], Path]
) -> None:
    folder = write_pairs(tmp_path / "corpus", suffix=".parquet")
    archive = pack(folder, tmp_path / ("a.zip" if pack is zipped else "a.tar.gz"))
    sources.download(of_source("local", archive), tmp_path / "raw")
    assert files_of(tmp_path / "raw" / "corpus") == files_of(folder)
    assert read_json(tmp_path / "raw" / "source.json")["format"] == "pairs"


def test_a_named_format_is_taken_where_there_are_several(given: Download, tmp_path: Path) -> None:
    write_qna(tmp_path / "corpus")
    sources.download(given, tmp_path / "auto")
    assert not list(tmp_path.glob("auto/corpus/*.parquet"))
    sources.download(dataclasses.replace(given, format="qna"), tmp_path / "named")
    assert len(list(tmp_path.glob("named/corpus/*.parquet"))) == 3
    assert not list(tmp_path.glob("named/corpus/*.tsv*"))
    assert read_json(tmp_path / "named" / "source.json")["format"] == "qna"


def test_an_earlier_download_is_replaced(given: Download, tmp_path: Path) -> None:
    (tmp_path / "raw" / "corpus").mkdir(parents=True)
    (tmp_path / "raw" / "corpus" / "old.tsv").write_text("old")
    sources.download(given, tmp_path / "raw")
    assert not (tmp_path / "raw" / "corpus" / "old.tsv").exists()


def test_the_sample_is_marked_as_smoke(tmp_path: Path) -> None:
    sources.download(of_source("sample"), tmp_path / "raw")
    assert is_smoke(tmp_path / "raw")
    assert len(list(tmp_path.glob("raw/corpus/*.parquet"))) == 3
    assert read_json(tmp_path / "raw" / "source.json")["format"] == "qna"


def test_microsofts_archive(server: Server, tmp_path: Path) -> None:
    source = sources.download(of_source("msmarco-passage"), tmp_path / "raw")
    assert files_of(tmp_path / "raw" / "corpus") == files_of(tmp_path / "served")
    facts = read_json(tmp_path / "raw" / "source.json")
    digest = hashlib.md5(server.files[ARCHIVE], usedforsecurity=False).hexdigest()
    assert facts["revision"] == f"md5:{digest}"
    assert facts["format"] == "passage-ranking"
    assert facts["smoke"] is False
    assert "non-commercial research" in source.terms
    built = build(readers.read(tmp_path / "raw" / "corpus", facts["format"], DATA))
    assert queries_of(built) == QUERIES
    assert labels_of(built) == LABELS


def test_a_set_of_beir(server: Server, tmp_path: Path) -> None:
    sources.download(of_source("beir"), tmp_path / "raw")
    assert files_of(tmp_path / "raw" / "corpus") == files_of(tmp_path / "set")
    facts = read_json(tmp_path / "raw" / "source.json")
    digest = hashlib.md5(server.files[SET], usedforsecurity=False).hexdigest()
    assert (facts["revision"], facts["format"]) == (f"scifact md5:{digest}", "beir")
    built = build(readers.read(tmp_path / "raw" / "corpus", "beir", DATA))
    assert set(built.passages["text"]) == PASSAGES


def test_what_is_in_the_cache_is_not_fetched_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        sources.download(of_source("beir"), tmp_path / name)
    assert server.sent_bytes(SET) == len(server.files[SET])
    monkeypatch.setenv("TWOTOWER_OFFLINE", "1")
    sources.download(of_source("beir"), tmp_path / "three")
    assert files_of(tmp_path / "three") == files_of(tmp_path / "one")


def test_trecs_files_are_taken_from_the_folder(server: Server, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    packed = gzip.compress(b"19\thow do pets sound\n20\tno labels\n")
    wanted = {
        "msmarco-test2019-queries.tsv.gz": packed,
        "2019qrels-pass.txt": b"19 Q0 101 2\n19 Q0 106 3\n19 Q0 100 0\n",
    }
    others = {
        "notes.txt": b"x",
        "glove.txt": b"cat 1",
        "collection.tsv.gz": gzip.compress(b"1\tmine\n"),  # the archive has its own
        "queries.train.tsv.gz": gzip.compress(b"1\tmine\n"),
        "qrels.test.tsv": b"7\t0\t100\t1\n",
        "queries.mine.tsv": b"30\tof another corpus\n",
    }
    for name, content in (wanted | others).items():
        (mine / name).write_bytes(content)
    sources.download(of_source("msmarco-passage", mine), tmp_path / "raw")
    assert files_of(tmp_path / "raw" / "corpus") == files_of(tmp_path / "served") | wanted
    assert set(wanted) < set(read_json(tmp_path / "raw" / "source.json")["files_bytes"])
    built = build(readers.read(tmp_path / "raw" / "corpus", "passage-ranking", DATA))
    assert queries_of(built) == QUERIES | {("how do pets sound", "dl19")}
    assert ("how do pets sound", "Dogs bark.", 3) in labels_of(built)


def test_the_hubs_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(repository: str, revision: str, config: str, folder: Path) -> str:
        asked.append((repository, revision, config))
        write_qna(folder)
        return "a" * 40

    monkeypatch.setattr(hub, "fetch", fetch)
    for name in ("msmarco-v1.1", "msmarco-v2.1"):
        sources.download(of_source(name), tmp_path / name)
        facts = read_json(tmp_path / name / "source.json")
        assert (facts["revision"], facts["format"]) == ("a" * 40, "qna")
        assert "non-commercial research" in facts["terms"]
    repository = "microsoft/ms_marco"
    assert asked == [(repository, "main", "v1.1"), (repository, "main", "v2.1")]


def test_every_legal_name_is_known() -> None:
    hints = typing.get_type_hints(Download, include_extras=True)
    legal = {key: set(hints[key].__metadata__[0].names) for key in ("source", "format", "name")}
    assert set(sources.SOURCES) == legal["source"]
    assert {"auto", *readers.FORMATS} == legal["format"]
    assert set(remote_files.BEIR) == legal["name"]


def refused(settings: Download, tmp_path: Path, kind: type[DataError], message: str) -> None:
    """Download where an earlier one is; it must fail, and leave that one as it is."""
    raw = tmp_path / "out" / "raw"
    raw.mkdir(parents=True)
    (raw / "earlier.txt").write_text("kept")
    with pytest.raises(kind, match=message):
        sources.download(settings, raw)
    assert files_of(tmp_path / "out") == {"raw/earlier.txt": b"kept"}
    (raw / "earlier.txt").unlink()
    raw.rmdir()
    with pytest.raises(kind, match=message):
        sources.download(settings, raw)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["msmarco-passage", "beir"])
def test_a_failing_server_leaves_nothing(server: Server, tmp_path: Path, name: str) -> None:
    for path in (ARCHIVE, SET):
        server.always[path] = Fault(status=404)
    refused(of_source(name), tmp_path, DownloadError, "404")


@pytest.mark.parametrize("name", ["msmarco-passage", "beir"])
def test_other_bytes_than_the_records_leave_nothing(
    server: Server, tmp_path: Path, name: str
) -> None:
    for path in (ARCHIVE, SET):
        server.files[path] = bytes(len(server.files[path]))
    refused(of_source(name), tmp_path, DownloadError, "what came has md5:")


@pytest.mark.parametrize("name", ["msmarco-passage", "beir"])
def test_an_archive_of_something_else_leaves_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As it would be if the site packed its sets in another way one day."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "queries.train.tsv").write_text("1\tx\n")
    server.files[ARCHIVE] = tarred(tmp_path / "other", tmp_path / "b.tar.gz").read_bytes()
    server.files[SET] = zipped(tmp_path / "other", tmp_path / "b.zip").read_bytes()
    name_served(server, monkeypatch)
    end = "collectionandqueries.tar.gz" if name == "msmarco-passage" else "scifact.zip"
    refused(of_source(name), tmp_path, DataError, f"{end}: no files of format ")


def test_a_trec_file_that_cannot_be_read_leaves_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine" / "2019qrels-pass.txt").mkdir(parents=True)
    message = r"2019qrels-pass\.txt: not readable as a file: Is a directory"
    refused(of_source("msmarco-passage", tmp_path / "mine"), tmp_path, DataError, message)


def no_folder(root: Path) -> None:
    (root / "corpus").rename(root / "gone")


def a_file(root: Path) -> None:
    no_folder(root)
    (root / "corpus").write_bytes(b"x")


def no_collection(root: Path) -> None:
    (root / "corpus" / "collection.tsv.gz").unlink()


def folder_for_a_file(root: Path) -> None:
    (root / "corpus" / "qrels.test.tsv.gz").unlink()
    (root / "corpus" / "qrels.test.tsv.gz").mkdir()


def dangling_link(root: Path) -> None:
    (root / "corpus" / "qrels.zzz.tsv").symlink_to(root / "nowhere")


def no_rights(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (root / "corpus" / "qrels.test.tsv.gz").chmod(0)


def no_rights_to_the_folder(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (root / "corpus").chmod(0o300)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_folder, r"download\.folder: .*corpus is neither a folder nor a file ending in \.zip, "),
        (a_file, r"download\.folder: .*corpus is neither a folder nor a file ending in \.zip, "),
        (no_collection, r"no files of .* expected collection\.tsv .* found qrels\.test\.tsv\.gz, "),
        (folder_for_a_file, r"qrels\.test\.tsv\.gz: not readable as a file: Is a directory"),
        (dangling_link, r"qrels\.zzz\.tsv: not readable as a file: No such file"),
        (no_rights, r"qrels\.test\.tsv\.gz: not readable as a file: Permission denied"),
        (no_rights_to_the_folder, "corpus: not readable as a folder: Permission denied"),
    ],
)
def test_what_cannot_be_copied_leaves_nothing(
    given: Download, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(tmp_path)
    refused(given, tmp_path, DataError, message)
