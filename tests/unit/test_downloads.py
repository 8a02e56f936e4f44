"""Downloads: complete and verified in the cache, fetched once, or an error that helps."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fetching import (
    BODY,
    MD5,
    OTHER,
    PATH,
    failure,
    leave_partial,
    partial_of,
    ranges,
    remote,
    start_worker,
    surroundings,
    wait_until,
)
from http_server import Fault, Server

from twotower import downloads
from twotower.downloads import Remote, fetch, place
from twotower.errors import DataError, DownloadError


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surroundings(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({PATH: BODY}) as server:
        yield server


# What is fetched, and where to


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_file_is_fetched_once(server: Server, algorithm: str, tmp_path: Path) -> None:
    wanted = remote(server, algorithm=algorithm)
    found = fetch(wanted)
    assert found.read_bytes() == BODY
    assert found.name == "glove.zip"
    assert found.is_relative_to(tmp_path)
    assert fetch(wanted) == found
    assert [request.headers["accept-encoding"] for request in server.requests] == ["identity"]
    left = {path.name for path in found.parent.iterdir()}
    assert left <= {"glove.zip", "glove.zip.lock"}


def test_a_file_that_is_there_needs_no_writable_cache(server: Server) -> None:
    path = place(remote(server))
    path.with_name("glove.zip.lock").mkdir(parents=True)
    path.write_bytes(BODY)
    assert fetch(remote(server)) == path
    path.unlink()
    assert "cannot be used" in failure(remote(server))
    assert server.requests == []


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("TWOTOWER_CACHE", "~/own")
    assert downloads.cache_folder() == Path("/home/me/own")
    monkeypatch.setenv("TWOTOWER_CACHE", "")
    assert downloads.cache_folder() == Path("/xdg/twotower")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert downloads.cache_folder() == Path("/home/me/.cache/twotower")


@pytest.mark.parametrize(
    ("url", "size_bytes", "checksum", "told"),
    [
        ("ftp://host/a", 1, MD5, "not http or https"),
        ("file:///etc/passwd", 1, MD5, "not http or https"),
        ("http://host/", 1, MD5, "no file name"),
        ("http://host/a/..", 1, MD5, "no file name"),
        ("http://host/a", 0, MD5, "size is 0"),
        ("http://host/a", 1, "0" * 32, "checksum"),
        ("http://host/a", 1, "md5:", "checksum"),
        ("http://host/a", 1, "md5:../../x", "checksum"),
        ("http://host/a", 1, "crc:", "checksum"),
    ],
)
def test_what_names_no_file_is_refused(url: str, size_bytes: int, checksum: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        Remote(url, size_bytes, checksum)


def test_the_name_is_the_last_part_of_the_path() -> None:
    assert Remote("https://host/a/b.tar.gz?download=1#x", 1, MD5).name == "b.tar.gz"


def test_it_is_told_what_is_fetched(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    wanted = remote(server)
    leave_partial(wanted, BODY[:100_000])
    fetch(wanted)
    assert caplog.messages == [
        f"fetching glove.zip (0.3 MB) from {server.url(PATH)} to {place(wanted).parent}, "
        "resumed at 0.1 MB"
    ]


@pytest.mark.parametrize("damaged", [BODY[:-1], b"", BODY + b"x", OTHER])
def test_a_damaged_cached_file_is_set_aside_and_fetched_again(
    server: Server, damaged: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = fetch(remote(server))
    path.write_bytes(damaged)
    assert fetch(remote(server)).read_bytes() == BODY
    assert len(server.requests) == 2
    assert path.with_name("glove.zip.bad").read_bytes() == damaged
    assert f"{path} has " in caplog.text
    assert "glove.zip.bad" in caplog.text


# The partial file and its name


def test_a_complete_partial_is_not_fetched_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOTOWER_OFFLINE", "1")
    leave_partial(remote(server), BODY)
    assert fetch(remote(server)).read_bytes() == BODY
    assert server.requests == []


@pytest.mark.parametrize(
    ("bad", "asked"),
    [(OTHER[:1000], ["bytes=1000-", None]), (OTHER, [None]), (BODY + b"x", [None])],
)
def test_a_bad_first_part_costs_one_fresh_attempt(
    server: Server, bad: bytes, asked: list[str | None], caplog: pytest.LogCaptureFixture
) -> None:
    leave_partial(remote(server), bad)
    assert fetch(remote(server)).read_bytes() == BODY
    assert ranges(server) == asked
    assert "came in parts" in caplog.text


def test_a_wrong_checksum_is_one_clear_error(server: Server) -> None:
    wanted = remote(server)
    server.files[PATH] = OTHER
    message = failure(wanted)
    assert f"md5:{hashlib.md5(OTHER).hexdigest()} instead of {wanted.checksum}" in message
    assert len(server.requests) == 1
    assert not partial_of(wanted).exists()


def test_a_wrong_checksum_after_resuming_is_an_error_after_one_fresh_attempt(
    server: Server,
) -> None:
    wanted = remote(server)
    server.files[PATH] = OTHER
    server.next_answers(PATH, Fault(cut_after=1000), Fault(), Fault(cut_after=2000))
    assert "instead of" in failure(wanted)
    assert ranges(server) == [None, "bytes=1000-", None, "bytes=2000-"]
    assert not partial_of(wanted).exists()


def test_the_bytes_are_on_the_disk_before_the_name(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, sync, synced = remote(server), os.fsync, []

    def record(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_size, place(wanted).exists()))

    monkeypatch.setattr(os, "fsync", record)
    fetch(wanted)
    assert synced == [(len(BODY), False)]


def test_two_processes_fetch_a_file_once(server: Server, tmp_path: Path) -> None:
    server.next_answers(PATH, Fault(hold_after=200_000))
    wanted, logs = remote(server), [tmp_path / "first", tmp_path / "second"]
    first = start_worker(wanted, logs[0])
    wait_until(lambda: server.sent_bytes(PATH) == 200_000, first)
    second = start_worker(wanted, logs[1])
    wait_until(lambda: b"another process fetches glove.zip" in logs[1].read_bytes(), second)
    server.release()
    assert (first.wait(20), second.wait(20)) == (0, 0)
    assert [log.read_text().splitlines()[-1] for log in logs] == [str(place(wanted))] * 2
    assert place(wanted).read_bytes() == BODY
    assert len(server.requests) == 1


# The machine


def test_a_full_disk_is_told_before_anything_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = remote(server)
    leave_partial(wanted, BODY[:1000])
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=298_999))
    message = failure(wanted)
    assert f"{place(wanted).parent} has 298,999 bytes free" in message
    assert "needs 299,000 more" in message
    assert server.requests == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=299_000))
    assert fetch(wanted).read_bytes() == BODY


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full disk")
def test_a_disk_that_fills_up_is_told(server: Server) -> None:
    wanted = remote(server)
    partial_of(wanted).parent.mkdir(parents=True)
    partial_of(wanted).symlink_to("/dev/full")
    assert "No space left on device" in failure(wanted)
    assert len(server.requests) == 1


def test_a_cache_that_cannot_be_written_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TWOTOWER_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=f"{tmp_path}/file/.* cannot be used") as caught:
        fetch(remote(server))
    assert "TWOTOWER_CACHE" in str(caught.value)


def test_missing_certificates_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.crt"))
    message = failure(Remote("https://127.0.0.1:1/a", 1, MD5))
    assert "absent.crt" in message
    assert "cache folder" not in message


def assert_tells_how_by_hand(message: str, wanted: Remote) -> None:
    for told in (str(place(wanted)), wanted.url, f"{wanted.size_bytes:,}", wanted.checksum):
        assert told in message


def test_without_a_network_it_is_told_where_to_put_the_file() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        wanted = Remote(f"http://127.0.0.1:{taken.getsockname()[1]}/a.zip", 3, MD5)
        message = failure(wanted)
    assert "refused" in message
    assert_tells_how_by_hand(message, wanted)


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_offline_nothing_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("TWOTOWER_OFFLINE", value)
    wanted = remote(server)
    message = failure(wanted)
    assert "TWOTOWER_OFFLINE is set" in message
    assert_tells_how_by_hand(message, wanted)
    assert server.requests == []
    place(wanted).write_bytes(BODY)
    assert fetch(wanted) == place(wanted)


def test_offline_a_wrong_file_is_left_and_named(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOTOWER_OFFLINE", "1")
    wanted = remote(server)
    place(wanted).parent.mkdir(parents=True)
    place(wanted).write_bytes(OTHER)
    with pytest.raises(DownloadError, match=f"{place(wanted)} has md5:.* instead of") as caught:
        fetch(wanted)
    assert_tells_how_by_hand(str(caught.value), wanted)
    assert place(wanted).read_bytes() == OTHER


def test_offline_0_is_online(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOTOWER_OFFLINE", "0")
    assert fetch(remote(server)).read_bytes() == BODY
