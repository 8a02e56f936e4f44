"""The hub's shards: complete, verified, fetched once, offline too; and every failure in words.

The hub is a server on this machine. huggingface_hub reads its variables when it is imported, so
most tests set the constants that it made of them; those about the variables run a process.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_server import Fault
from hub_server import REPOSITORY, Hub
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
    write_qna,
)

from twotower.data import hub as hub_source
from twotower.data import readers, sources
from twotower.errors import DownloadError
from twotower.files import read_json

ROOT = Path(__file__).resolve().parents[3]
COMMIT, NEXT = "c0ffee" * 6 + "cafe", "dec0de" * 6 + "babe"


def shard(name: str) -> bytes:
    return b"PAR1" + f"{name} ".encode() * 200 + b"PAR1"


SHARDS = {
    "v1.1": ["test-00000-of-00001", "train-00000-of-00001", "validation-00000-of-00001"],
    "v2.1": [
        "test-00000-of-00001",
        *(f"train-{place:05}-of-00007" for place in range(7)),
        "validation-00000-of-00001",
    ],
}
FILES = {
    f"{config}/{name}.parquet": shard(f"{config}/{name}")
    for config, names in SHARDS.items()
    for name in names
}
FILES |= {"README.md": b"# MS MARCO", "v2.1/extra/train-00000-of-00001.parquet": shard("extra")}
TRAIN = "v1.1/train-00000-of-00001.parquet"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one commit, and a huggingface_hub that knows no other, nor the user's cache."""
    from huggingface_hub import close_session, constants

    for name in ("HF_HUB_CACHE", "HF_HOME", "TWOTOWER_CACHE", "TWOTOWER_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda wait_s: sleep(min(wait_s, 0.01)))
    with Hub() as hub:
        hub.publish(COMMIT, FILES, "main")
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
        for name, value in {
            "ENDPOINT": hub.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + template,
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": True,
            "HF_HUB_DISABLE_TELEMETRY": True,
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(constants, name, value)
        close_session()
        yield hub
        close_session()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Go offline from now on."""
    from huggingface_hub import constants

    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def fetch(folder: Path, *, config: str = "v1.1", revision: str = "main") -> str:
    return hub_source.fetch(REPOSITORY, revision, config, folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def expected(config: str) -> dict[str, bytes]:
    return {f"{name}.parquet": FILES[f"{config}/{name}.parquet"] for name in SHARDS[config]}


def blobs(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.glob("cache/datasets--*/blobs/*")}


def sha256_of(hub: Hub, path: str) -> str:
    return hub.place(FILES[path]).removeprefix("/")


@pytest.mark.parametrize("config", ["v1.1", "v2.1"])
def test_a_configurations_shards_are_fetched(hub: Hub, tmp_path: Path, config: str) -> None:
    assert fetch(tmp_path / "out", config=config) == COMMIT
    assert contents(tmp_path / "out") == expected(config)
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_others_logging_stays_as_it_was(
    hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "httpx2")
    fetch(tmp_path / "out")
    assert logging.getLogger("httpx2").level == logging.INFO
    assert not [record for record in caplog.records if record.name == "httpx2"]


def test_the_branchs_commit_is_what_is_fetched(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "out")
    files = [f"HEAD {hub.file(COMMIT, f'v1.1/{name}.parquet')}" for name in SHARDS["v1.1"]]
    assert hub.asked == [f"GET {hub.listing('main')}", f"GET {hub.tree(COMMIT)}", *files]


def test_a_commit_names_itself(hub: Hub, tmp_path: Path, offline: Callable[[], None]) -> None:
    assert fetch(tmp_path / "out", revision=COMMIT) == COMMIT
    assert not list(tmp_path.glob("cache/datasets--*/refs/*"))
    offline()
    assert fetch(tmp_path / "again", revision=COMMIT) == COMMIT


def test_nothing_is_fetched_twice(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "out")
    hub.api.requests.clear()
    hub.cdn.requests.clear()
    fetch(tmp_path / "again")
    assert contents(tmp_path / "again") == expected("v1.1")
    assert hub.asked == [f"GET {hub.listing('main')}"]
    assert hub.cdn.requests == []


def test_a_branch_that_moved_is_followed(
    hub: Hub, tmp_path: Path, offline: Callable[[], None]
) -> None:
    fetch(tmp_path / "out")
    hub.cdn.requests.clear()
    hub.publish(NEXT, {**FILES, TRAIN: b"other rows"}, "main")
    assert fetch(tmp_path / "out") == NEXT
    assert contents(tmp_path / "out") == {**expected("v1.1"), Path(TRAIN).name: b"other rows"}
    assert [request.path for request in hub.cdn.requests] == [hub.place(b"other rows")]
    offline()
    assert fetch(tmp_path / "offline") == NEXT
    # What lay in the folder was linked to the cache, where it has to stay as it was.
    fetch(tmp_path / "before", revision=COMMIT)
    assert contents(tmp_path / "before") == expected("v1.1")


def test_bytes_are_copied_where_links_cannot_be(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    fetch(tmp_path / "out")
    assert contents(tmp_path / "out") == expected("v1.1")
    assert all(path.stat().st_nlink == 1 for path in (tmp_path / "out").iterdir())


def test_a_transfer_cut_short_goes_on_where_it_was_cut(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    # Whole chunks are kept, in truth of 10 MiB each.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    content = FILES[TRAIN]
    assert len(content) > 5000
    hub.cdn.next_answers(hub.place(content), Fault(cut_after=2500), Fault(cut_after=1200))
    fetch(tmp_path / "out")
    assert contents(tmp_path / "out") == expected("v1.1")
    assert hub.ranges(content) == [None, "bytes=2000-", "bytes=3000-"]


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=503), Fault(status=429), Fault(drop=True)]
)
def test_what_passes_is_waited_for(hub: Hub, tmp_path: Path, fault: Fault) -> None:
    hub.api.next_answers(hub.listing("main"), fault, fault)
    hub.api.next_answers(hub.file(COMMIT, TRAIN), fault, fault)
    hub.cdn.next_answers(hub.place(FILES[TRAIN]), fault, fault)
    fetch(tmp_path / "out")
    assert contents(tmp_path / "out") == expected("v1.1")


def test_bytes_that_changed_on_the_way_are_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    content = FILES[TRAIN]
    hub.cdn.next_answers(hub.place(content), Fault(body=content[::-1]))
    fetch(tmp_path / "out")
    assert contents(tmp_path / "out") == expected("v1.1")
    assert hub.ranges(content) == [None, None]


def test_bytes_that_stay_wrong_are_refused(hub: Hub, tmp_path: Path) -> None:
    content = FILES[TRAIN]
    hub.cdn.always[hub.place(content)] = Fault(body=content[::-1])
    sha256 = sha256_of(hub, TRAIN)
    with pytest.raises(DownloadError, match=f"no sound {TRAIN} .*has sha256 .* of {sha256}"):
        fetch(tmp_path / "out")
    assert hub.ranges(content) == [None, None]
    assert not (tmp_path / "out").exists()
    assert sha256 not in blobs(tmp_path)


def test_another_size_than_listed_is_refused(hub: Hub, tmp_path: Path) -> None:
    listing = hub.api.files[hub.listing("main")]
    size = f'"size": {len(FILES[TRAIN])}'.encode()
    hub.api.files[hub.listing("main")] = listing.replace(size, b'"size": 7')
    with pytest.raises(DownloadError, match=f"has {len(FILES[TRAIN]):,} bytes instead of 7"):
        fetch(tmp_path / "out")


def test_a_cached_shard_that_went_bad_is_replaced(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "out")
    blob = next(tmp_path.glob(f"cache/datasets--*/blobs/{sha256_of(hub, TRAIN)}"))
    blob.write_bytes(FILES[TRAIN][::-1])
    fetch(tmp_path / "again")
    assert contents(tmp_path / "again") == expected("v1.1")


def test_a_shard_missing_on_the_hub_is_named(hub: Hub, tmp_path: Path) -> None:
    gone = {"v2.1/train-00003-of-00007.parquet", "v2.1/train-00006-of-00007.parquet"}
    hub.publish(NEXT, {path: FILES[path] for path in FILES.keys() - gone}, "main")
    with pytest.raises(DownloadError, match=f"no {', '.join(sorted(gone))} on the hub\n"):
        fetch(tmp_path / "out", config="v2.1")
    assert hub.cdn.requests == []


def test_an_unknown_configuration_names_those_that_are(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"no v3/\*.parquet \(but in v1.1, v2.1, v2.1/extra\)"):
        fetch(tmp_path / "out", config="v3")


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (404, "RepoNotFound", "no such repository, or not one for you"),
        (401, "", "no such repository, or not one for you"),
        (403, "GatedRepo", "accept the repository's terms"),
        (404, "RevisionNotFound", "no such revision"),
        (400, "", "127.0.0.1:.*BadRequestError.*"),
        (500, "", "127.0.0.1:.*500 Internal Server Error.*\n.*run again"),
    ],
)
def test_what_the_hub_refuses_is_said_in_words(
    hub: Hub, tmp_path: Path, status: int, code: str, meaning: str
) -> None:
    hub.refuse("main", status, code, "the server's own words")
    with pytest.raises(DownloadError, match=f"{REPOSITORY}, revision main: .*{meaning}") as caught:
        fetch(tmp_path / "out")
    assert caught.value.__suppress_context__
    assert str(caught.value).count("\n") <= 2
    assert len(hub.asked) == (3 if status == 500 else 1)


def test_a_hub_that_fails_after_its_listing(hub: Hub, tmp_path: Path) -> None:
    hub.api.always[hub.file(COMMIT, TRAIN)] = Fault(status=503)
    with pytest.raises(DownloadError, match=r"main: http://127.0.0.1:.*503 Service Unavailable"):
        fetch(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_that_no_repository_can_have(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not the name of a repository"):
        hub_source.fetch("a/b/c", "main", "v1.1", tmp_path / "out")


@pytest.mark.parametrize("answer", [b"<html>Log in</html>", b"[]", b"{}", b'{"id": "x"}', b"\xff"])
def test_an_address_without_a_hub(hub: Hub, tmp_path: Path, answer: bytes) -> None:
    hub.api.files[hub.listing("main")] = answer
    with pytest.raises(DownloadError, match=r"127.0.0.1.* does not answer as a hub does"):
        fetch(tmp_path / "out")


def test_a_hub_that_cannot_be_reached(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(
        DownloadError, match=r"127.0.0.1:1: ConnectError.*\n.*download.source: local"
    ):
        fetch(tmp_path / "out")


def test_a_hub_that_says_nothing(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.1)
    hub.api.always[hub.listing("main")] = Fault(hold_after=0)
    start_s = time.monotonic()
    with pytest.raises(DownloadError, match=r"127.0.0.1:.*ReadTimeout: timed out"):
        fetch(tmp_path / "out")
    hub.api.release()
    assert time.monotonic() - start_s < 5


def test_a_full_disk_is_seen_before(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    needed = sum(map(len, expected("v1.1").values()))
    with pytest.raises(DownloadError, match=f"10,000 bytes free, but .* needs {needed:,}"):
        fetch(tmp_path / "out")
    assert hub.cdn.requests == []


def test_a_cache_that_is_no_folder(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(DownloadError, match=r"(FileExists|NotADirectory)Error.*cache"):
        fetch(tmp_path / "out")


def test_offline_the_cache_serves(hub: Hub, tmp_path: Path, offline: Callable[[], None]) -> None:
    fetch(tmp_path / "out")
    hub.api.requests.clear()
    offline()
    assert fetch(tmp_path / "again") == COMMIT
    assert contents(tmp_path / "again") == expected("v1.1")
    assert hub.asked == []


def test_our_own_switch_is_heeded(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOTOWER_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"no copy in the cache .*TWOTOWER_OFFLINE is set"):
        fetch(tmp_path / "out")
    assert hub.asked == []


def test_offline_without_a_copy(hub: Hub, tmp_path: Path, offline: Callable[[], None]) -> None:
    fetch(tmp_path / "out")
    offline()
    with pytest.raises(
        DownloadError, match=r"no v2.1/test-00000-of-00001.parquet, .* in the cache"
    ):
        fetch(tmp_path / "out", config="v2.1")
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path / "out")
    assert str(caught.value) == (
        f"{REPOSITORY}, revision main: no copy in the cache {tmp_path / 'cache'}, and "
        "HF_HUB_OFFLINE or TWOTOWER_OFFLINE is set\nunset it and run once, or put the files into "
        "download.folder and set download.source: local, download.format: qna\nthey are at "
        f"https://huggingface.co/datasets/{REPOSITORY}/tree/main/v1.1"
    )


def test_offline_a_missing_shard_is_named(
    hub: Hub, tmp_path: Path, offline: Callable[[], None]
) -> None:
    hub.cdn.always[hub.place(FILES["v2.1/train-00002-of-00007.parquet"])] = Fault(status=403)
    with pytest.raises(DownloadError, match="403 Forbidden"):
        fetch(tmp_path / "out", config="v2.1")
    offline()
    missing = [f"v2.1/train-{place:05}-of-00007.parquet" for place in range(2, 7)]
    missing.append("v2.1/validation-00000-of-00001.parquet")
    with pytest.raises(DownloadError, match=f"no {', '.join(missing)} in the cache"):
        fetch(tmp_path / "out", config="v2.1")
    assert not (tmp_path / "out").exists()


def test_offline_a_cache_without_a_listing_serves_by_its_numbers(
    hub: Hub, tmp_path: Path, offline: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    fetch(tmp_path / "out", config="v2.1")
    # Another place, as huggingface_hub remembers the listing of this one.
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", symlinks=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "copy"))
    repository = next(tmp_path.glob("copy/datasets--*"))
    shutil.rmtree(repository / "trees")
    offline()
    assert fetch(tmp_path / "again", config="v2.1") == COMMIT
    assert contents(tmp_path / "again") == expected("v2.1")
    next(repository.glob("snapshots/*/v2.1/train-00004-*")).unlink()
    with pytest.raises(DownloadError, match=r"no v2.1/train-00004-of-00007.parquet in the cache"):
        fetch(tmp_path / "third", config="v2.1")
    with pytest.raises(DownloadError, match=r"no v1.1/\*.parquet \(but in v2.1\) in the cache"):
        fetch(tmp_path / "third")


def test_offline_a_bad_copy_is_refused(
    hub: Hub, tmp_path: Path, offline: Callable[[], None]
) -> None:
    fetch(tmp_path / "out")
    blob = next(tmp_path.glob(f"cache/datasets--*/blobs/{sha256_of(hub, TRAIN)}"))
    blob.write_bytes(FILES[TRAIN][::-1])
    offline()
    with pytest.raises(DownloadError, match=f"no sound {TRAIN} .*in the cache"):
        fetch(tmp_path / "again")
    assert not blob.exists()


def test_which_cache_is_used(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_source.cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("TWOTOWER_CACHE", str(tmp_path / "ours"))
    fetch(tmp_path / "out")
    assert len(list(tmp_path.glob("ours/hub/datasets--microsoft--ms_marco/blobs/*"))) == 3
    for name in ("HF_HUB_CACHE", "HF_HOME"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "named")
            assert hub_source.cache_folder() == tmp_path / "cache"


def run(hub: Hub, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Fetch in a process whose standard error is a pipe, with the stages' logging."""
    code = (
        "import logging, sys; from pathlib import Path; from twotower.data import hub\n"
        "logging.basicConfig(level=logging.INFO, format='%(message)s', stream=sys.stderr)\n"
        f"print(hub.fetch({REPOSITORY!r}, 'main', 'v1.1', Path(sys.argv[1])))"
    )
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    own = {"HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1", "HF_ENDPOINT": hub.url}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path / "out")],
        env={**kept, **own, "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_documented_variables_are_heeded_and_nothing_else_is_said(
    hub: Hub, tmp_path: Path
) -> None:
    warning = {"X-HF-Warning": "unauthenticated; You are sending unauthenticated requests"}
    hub.api.next_answers(hub.listing("main"), Fault(headers=warning))
    hub.cdn.next_answers(hub.place(FILES[TRAIN]), Fault(cut_after=100))
    home = str(tmp_path / "hf")
    ours = str(tmp_path / "ours")
    online = run(hub, tmp_path, HF_HOME=home, TWOTOWER_CACHE=ours, HF_TOKEN="hf_secret")
    size_mb = sum(map(len, expected("v1.1").values())) / 1e6
    said = f"fetching 3 shards ({size_mb:.1f} MB) of {REPOSITORY}, revision main\n"
    assert (online.returncode, online.stdout, online.stderr) == (0, f"{COMMIT}\n", said)
    assert contents(tmp_path / "out") == expected("v1.1")
    assert "GET /api/agent-harnesses" not in hub.asked
    assert {request.headers["authorization"] for request in hub.api.requests} == {
        "Bearer hf_secret"
    }
    assert not any("authorization" in request.headers for request in hub.cdn.requests)
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "ours").exists()
    shutil.rmtree(tmp_path / "out")
    hub.api.requests.clear()
    offline = run(hub, tmp_path, HF_HOME=home, HF_HUB_OFFLINE="1")
    assert (offline.returncode, offline.stdout, offline.stderr) == (0, f"{COMMIT}\n", "")
    assert contents(tmp_path / "out") == expected("v1.1")
    assert hub.asked == []


def test_where_xet_fails_the_way_without_it_is_named(hub: Hub, tmp_path: Path) -> None:
    hub.offer_xet(COMMIT, TRAIN)
    failed = run(hub, tmp_path, HF_HOME=str(tmp_path / "hf"))
    assert f"DownloadError: {REPOSITORY}, revision main: the transfer by xet" in failed.stderr
    assert "HF_HUB_DISABLE_XET=1" in failed.stderr
    plain = run(hub, tmp_path, HF_HOME=str(tmp_path / "hf"), HF_HUB_DISABLE_XET="1")
    assert plain.stdout == f"{COMMIT}\n"
    assert contents(tmp_path / "out") == expected("v1.1")


@pytest.mark.parametrize("config", ["v1.1", "v2.1"])
def test_real_shards_give_the_corpus_of_every_other_format(
    hub: Hub, tmp_path: Path, config: str
) -> None:
    content = files_of(write_qna(tmp_path / "given"))
    hub.publish(NEXT, {f"{config}/{name}": body for name, body in content.items()}, "main")
    wanted = dataclasses.replace(LOCAL, source=f"msmarco-{config}", revision="main")
    sources.download(wanted, tmp_path / "raw")
    facts = read_json(tmp_path / "raw" / "source.json")
    assert (facts["revision"], facts["format"]) == (NEXT, "qna")
    built = build(readers.read(tmp_path / "raw" / "corpus", facts["format"], DATA))
    assert set(built.passages["text"]) == PASSAGES
    assert queries_of(built) == QUERIES
    assert labels_of(built) == LABELS
