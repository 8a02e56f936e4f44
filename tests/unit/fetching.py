"""What tests of downloads share: a file to fetch, and a process that fetches it."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from http_server import Server

from twotower import downloads, transfer
from twotower.downloads import Remote, fetch, place
from twotower.errors import DownloadError

PATH = "/data/glove.zip"
BODY = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)
MD5 = "md5:" + "0" * 32
WORKER = """
import logging, sys
from twotower.downloads import Remote, fetch
logging.basicConfig(level=logging.INFO, format="%(message)s")
print(fetch(Remote(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
"""


def surroundings(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Give the test a cache of its own, whatever this machine's user has set, and short waits."""
    monkeypatch.setenv("TWOTOWER_CACHE", str(cache))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TWOTOWER_OFFLINE", raising=False)
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.002)


def remote(server: Server, body: bytes = BODY, path: str = PATH, algorithm: str = "md5") -> Remote:
    digest = hashlib.new(algorithm, body).hexdigest()
    return Remote(server.url(path), len(body), f"{algorithm}:{digest}")


def partial_of(wanted: Remote) -> Path:
    return place(wanted).with_name(f"{wanted.name}.partial")


def leave_partial(wanted: Remote, start: bytes) -> None:
    partial_of(wanted).parent.mkdir(parents=True, exist_ok=True)
    partial_of(wanted).write_bytes(start)


def failure(wanted: Remote) -> str:
    with pytest.raises(DownloadError) as caught:
        fetch(wanted)
    assert not place(wanted).exists(), "something unverified has the final name"
    return str(caught.value)


def ranges(server: Server) -> list[str | None]:
    return [request.range for request in server.requests]


def start_worker(wanted: Remote, log: Path) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", WORKER, wanted.url, str(wanted.size_bytes), wanted.checksum]
    source = Path(downloads.__file__).parents[1]
    with log.open("wb") as file:
        environment = {**os.environ, "PYTHONPATH": str(source)}
        return subprocess.Popen(arguments, stdout=file, stderr=file, env=environment)


def wait_until(condition: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert worker.poll() is None, "the process ended early"
        assert time.monotonic() < end
        time.sleep(0.01)
