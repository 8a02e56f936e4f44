"""A transfer from a server that goes wrong: what came is kept, and nothing is asked for twice."""

from __future__ import annotations

import email.utils
import io
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fetching import (
    BODY,
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
from http_server import LAST_MODIFIED, Fault, Server

from twotower import transfer
from twotower.downloads import fetch, place
from twotower.files import read_json
from twotower.progress import progress


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surroundings(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({PATH: BODY}) as server:
        yield server


# Resuming


def test_a_cut_download_goes_on_where_it_was(server: Server) -> None:
    server.next_answers(PATH, Fault(cut_after=100_000), Fault(cut_after=50_000))
    assert fetch(remote(server)).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]
    assert [request.headers.get("if-range") for request in server.requests] == [
        None,
        server.etag(PATH),
        server.etag(PATH),
    ]
    assert server.sent_bytes(PATH) == len(BODY)


@pytest.mark.parametrize(("how", "held"), [(signal.SIGKILL, 1000), (signal.SIGINT, 200_000)])
def test_a_killed_process_loses_nothing(
    server: Server, how: signal.Signals, held: int, tmp_path: Path
) -> None:
    server.next_answers(PATH, Fault(hold_after=held))
    wanted = remote(server)
    partial = partial_of(wanted)
    worker = start_worker(wanted, tmp_path / "log")
    wait_until(lambda: partial.exists() and partial.stat().st_size == held, worker)
    worker.send_signal(how)
    assert worker.wait(10) == -how
    assert not place(wanted).exists()
    assert fetch(wanted).read_bytes() == BODY
    assert ranges(server) == [None, f"bytes={held}-"]
    assert server.requests[1].headers["if-range"] == server.etag(PATH)
    assert server.requests[1].sent_bytes == len(BODY) - held


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": 'W/"weak"'}, LAST_MODIFIED),
        ({"ETag": ""}, LAST_MODIFIED),
        ({"ETag": "", "Last-Modified": ""}, None),
    ],
)
def test_only_strong_etags_are_sent_back(
    server: Server, headers: dict[str, str], validator: str | None
) -> None:
    server.next_answers(PATH, Fault(cut_after=1000, headers=headers))
    assert fetch(remote(server)).read_bytes() == BODY
    assert server.requests[1].headers.get("if-range") == validator
    assert ranges(server) == [None, "bytes=1000-"]


def test_a_file_that_changed_on_the_server_is_begun_anew(server: Server) -> None:
    wanted = remote(server)
    server.files[PATH] = OTHER
    server.next_answers(PATH, Fault(cut_after=1000), Fault(status=404))
    failure(wanted)
    assert partial_of(wanted).read_bytes() == OTHER[:1000]
    server.files[PATH] = BODY
    assert fetch(wanted).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=1000-", "bytes=1000-"]
    assert server.requests[-1].status == 200


def test_another_servers_etag_is_not_sent(server: Server) -> None:
    server.next_answers(PATH, Fault(cut_after=1000), Fault(status=404))
    failure(remote(server))
    server.files["/mirror/glove.zip"] = BODY
    mirror = remote(server, path="/mirror/glove.zip")
    assert place(mirror) == place(remote(server))
    fetch(mirror)
    assert server.requests[-1].range == "bytes=1000-"
    assert "if-range" not in server.requests[-1].headers


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b"\xff", b'{"url": 1}'])
def test_a_spoilt_note_of_the_etag_does_no_harm(server: Server, kept: bytes) -> None:
    wanted = remote(server)
    leave_partial(wanted, BODY[:1000])
    partial_of(wanted).with_name("glove.zip.partial.json").write_bytes(kept)
    assert fetch(wanted).read_bytes() == BODY
    assert ranges(server) == ["bytes=1000-"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=416),
        Fault(headers={"Content-Range": "bytes 999-299999/300000"}),
        Fault(headers={"Content-Range": ""}),
        Fault(headers={"Content-Range": "multipart"}),
    ],
)
def test_a_range_that_is_not_given_is_begun_anew(server: Server, fault: Fault) -> None:
    leave_partial(remote(server), BODY[:1000])
    server.next_answers(PATH, fault)
    assert fetch(remote(server)).read_bytes() == BODY
    assert ranges(server) == ["bytes=1000-", None]


def test_a_total_that_is_not_told_is_no_hindrance(server: Server) -> None:
    leave_partial(remote(server), BODY[:1000])
    server.next_answers(PATH, Fault(headers={"Content-Range": "bytes 1000-299999/*"}))
    assert fetch(remote(server)).read_bytes() == BODY
    assert ranges(server) == ["bytes=1000-"]


def test_a_server_without_ranges_gives_it_all_again(server: Server) -> None:
    server.always[PATH] = Fault(ranges=False)
    server.next_answers(PATH, Fault(cut_after=1000))
    assert fetch(remote(server)).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=1000-"]
    assert server.requests[1].sent_bytes == len(BODY)


# Trying again


@pytest.mark.parametrize(
    "fault",
    [*(Fault(status=status) for status in (408, 429, 500, 502, 503, 504)), Fault(drop=True)],
)
def test_what_may_pass_is_tried_again(server: Server, fault: Fault) -> None:
    server.next_answers(PATH, fault, fault)
    assert fetch(remote(server)).read_bytes() == BODY
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416])
def test_what_will_not_pass_is_not_tried_again(server: Server, status: int) -> None:
    server.always[PATH] = Fault(status=status)
    assert f"{server.url(PATH)}: HTTP {status} " in failure(remote(server))
    assert len(server.requests) == 1


def test_a_stalled_connection_is_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "READ_TIMEOUT_S", 0.5)
    server.next_answers(PATH, Fault(hold_after=1000))
    assert fetch(remote(server)).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=1000-"]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 1.0)
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def test_waits_grow_and_then_it_is_given_up(server: Server, waits: list[float]) -> None:
    server.always[PATH] = Fault(status=503)
    message = failure(remote(server))
    assert "HTTP 503 Service Unavailable (5 attempts)" in message
    assert "what has come is kept" in message
    assert len(server.requests) == 5
    assert all(top / 2 <= wait <= top for wait, top in zip(waits, [2, 4, 8, 16], strict=True))


def test_waits_differ_and_have_an_end(
    server: Server, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ATTEMPTS", 9)
    server.always[PATH] = Fault(status=503)
    failure(remote(server))
    assert max(waits) <= transfer.LONGEST_WAIT_S
    assert len(set(waits[-3:])) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for(server: Server, waits: list[float], form: str) -> None:
    after = "77" if form == "seconds" else email.utils.formatdate(time.time() + 77, usegmt=True)
    server.next_answers(PATH, Fault(status=429, headers={"Retry-After": after}))
    fetch(remote(server))
    assert waits == [pytest.approx(77, abs=5)]


@pytest.mark.parametrize("after", ["soon", "-5", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_useless_retry_after_is_passed_over(
    server: Server, waits: list[float], after: str
) -> None:
    server.next_answers(PATH, Fault(status=429, headers={"Retry-After": after}))
    fetch(remote(server))
    assert len(waits) == 1
    assert 1 <= waits[0] <= 2


def test_nobody_waits_for_an_hour(server: Server, waits: list[float]) -> None:
    server.next_answers(PATH, Fault(status=429, headers={"Retry-After": "3600"}))
    assert "to wait 3,600 s; run again later" in failure(remote(server))
    assert waits == []


def test_attempts_that_bring_something_are_not_counted(server: Server) -> None:
    server.always[PATH] = Fault(cut_after=20_000)
    assert fetch(remote(server)).read_bytes() == BODY
    assert len(server.requests) == 15
    assert server.sent_bytes(PATH) == len(BODY)


def test_a_connection_that_stalls_at_the_very_end_has_brought_it_all(
    server: Server, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "READ_TIMEOUT_S", 0.5)
    server.next_answers(PATH, Fault(hold_after=len(BODY), announce=False))
    assert fetch(remote(server)).read_bytes() == BODY
    assert (len(server.requests), waits) == (1, [])


def test_bytes_that_were_there_before_are_no_progress(server: Server) -> None:
    server.always[PATH] = Fault(cut_after=20_000, ranges=False)
    assert "(5 attempts)" in failure(remote(server))
    assert len(server.requests) == 1 + transfer.ATTEMPTS


# What a server may send instead


def test_a_wrong_announced_length_is_an_error_before_the_body(server: Server) -> None:
    wanted = remote(server)
    server.files[PATH] = BODY + b"x"
    assert "announces 300,001 bytes instead of 300,000" in failure(wanted)
    assert len(server.requests) == 1
    assert not partial_of(wanted).exists()


@pytest.mark.parametrize("ranges_", [True, False])
def test_a_wrong_announced_total_leaves_the_partial(server: Server, ranges_: bool) -> None:
    wanted = remote(server)
    leave_partial(wanted, BODY[:1000])
    server.files[PATH] = BODY[:-1]
    server.always[PATH] = Fault(ranges=ranges_)
    assert "announces 299,999 bytes instead of 300,000" in failure(wanted)
    assert len(server.requests) == 1
    assert partial_of(wanted).read_bytes() == BODY[:1000]


@pytest.mark.parametrize("have", [0, 1000])
def test_more_bytes_than_expected_are_an_error(server: Server, have: int) -> None:
    wanted = remote(server)
    leave_partial(wanted, BODY[:have])
    server.always[PATH] = Fault(body=BODY[have:] + b"more", announce=False)
    assert "more than 300,000 bytes came" in failure(wanted)
    assert len(server.requests) == 1
    assert partial_of(wanted).stat().st_size == 0


def test_bytes_beyond_the_announced_length_are_not_read(server: Server) -> None:
    server.next_answers(PATH, Fault(body=BODY + b"more"))
    assert fetch(remote(server)).read_bytes() == BODY


def test_a_length_that_is_not_announced_is_no_hindrance(server: Server) -> None:
    server.next_answers(PATH, Fault(announce=False))
    assert fetch(remote(server)).read_bytes() == BODY
    assert len(server.requests) == 1


def test_an_unannounced_end_is_a_cut(server: Server) -> None:
    server.next_answers(PATH, Fault(announce=False, cut_after=1000))
    assert fetch(remote(server)).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=1000-"]


def test_an_announced_empty_body_is_a_wrong_length(server: Server) -> None:
    wanted = remote(server)
    server.files[PATH] = b""
    assert "announces 0 bytes instead of 300,000" in failure(wanted)
    assert len(server.requests) == 1


def test_empty_bodies_come_to_an_end(server: Server) -> None:
    server.always[PATH] = Fault(announce=False, body=b"")
    assert "ended after 0 of 300,000 bytes (5 attempts)" in failure(remote(server))
    assert len(server.requests) == 5


def test_a_body_said_to_be_encoded_is_taken_as_it_comes(server: Server) -> None:
    """Some servers call a .gz file's own packing an encoding of the answer."""
    server.next_answers(PATH, Fault(headers={"Content-Encoding": "gzip"}))
    assert fetch(remote(server)).read_bytes() == BODY


def redirect(to: str) -> Fault:
    return Fault(status=302, headers={"Location": to})


def test_redirects_are_followed_and_resumed(server: Server) -> None:
    server.always["/old/glove.zip"] = redirect(PATH)
    server.next_answers(PATH, Fault(cut_after=1000))
    assert fetch(remote(server, path="/old/glove.zip")).read_bytes() == BODY
    assert ranges(server) == [None, None, "bytes=1000-", "bytes=1000-"]
    assert server.requests[-1].headers["if-range"] == server.etag(PATH)


def test_a_redirect_loop_ends(server: Server) -> None:
    server.always[PATH] = redirect(PATH)
    assert "redirects" in failure(remote(server))
    assert len(server.requests) == 1 + transfer.REDIRECTS


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("ftp://127.0.0.1/a", "No connection adapters"),
        ("file:///etc/passwd", "No connection adapters"),
        ("http://[/", "Invalid"),
    ],
)
def test_a_redirect_elsewhere_is_refused(server: Server, to: str, told: str) -> None:
    server.always[PATH] = redirect(to)
    message = failure(remote(server))
    assert message.startswith(f"{server.url(PATH)}: ")
    assert told in message
    assert len(server.requests) == 1


# Progress


def test_progress_starts_where_the_download_does_and_ends_at_the_end(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def record(total: int, unit: str, description: str, initial: int = 0) -> Any:
        seen.append(initial)
        bar = progress(total, unit, description, initial)
        monkeypatch.setattr(bar, "update", seen.append)
        return bar

    monkeypatch.setattr(transfer, "progress", record)
    leave_partial(remote(server), BODY[:1000])
    server.next_answers(PATH, Fault(cut_after=500), Fault(ranges=False))
    fetch(remote(server))
    assert seen[0] == 1000
    assert -1500 in seen, "the bar went not back when the download was begun anew"
    assert sum(seen) == len(BODY)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def rates(screen: str) -> Sequence[str]:
    return re.findall(r"[\d.]+[kMG]?B/s", screen)


def test_the_bar_counts_bytes_in_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress(3_000_000, "B", "a.zip", initial=1_000_000) as bar:
        bar.start_t -= 1  # a second ago
        bar.update(1_000_000)
        bar.refresh()
    assert "1.00M/3.00M" in screen.getvalue()
    assert "2.00M/3.00M" in screen.getvalue()
    assert rates(screen.getvalue())


def test_the_note_beside_a_partial_says_whose_it_is(server: Server) -> None:
    server.next_answers(PATH, Fault(cut_after=1000), Fault(status=404))
    failure(remote(server))
    note = partial_of(remote(server)).with_name("glove.zip.partial.json")
    assert read_json(note) == {"url": server.url(PATH), "validator": server.etag(PATH)}
