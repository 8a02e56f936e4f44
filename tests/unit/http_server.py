"""A real HTTP server in a thread that goes wrong where it is told to, and keeps what it was asked.

    with Server({"/a.zip": content}) as server:
        server.next_answers("/a.zip", Fault(status=503), Fault(cut_after=1000))
        ...fetch server.url("/a.zip")...
        assert [request.range for request in server.requests] == [None, None, "bytes=1000-"]

Files are served with Range, If-Range, ETag and Last-Modified, by GET and HEAD, over HTTP/1.1.
"""

from __future__ import annotations

import hashlib
import re
import socketserver
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

LAST_MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"
PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Fault:
    """How one answer departs from a right one; nothing set is a right one."""

    status: int = 0
    """this status and no file; with headers={"Location": ...} a redirect"""
    headers: Mapping[str, str] = field(default_factory=dict)
    """headers added, or given instead of the right ones; an empty value leaves one out"""
    body: bytes | None = None
    """sent instead of the file, though announced as the file"""
    announce: bool = True
    """False: no Content-Length; the end of the connection is the end of the body"""
    ranges: bool = True
    """False: Range is ignored"""
    drop: bool = False
    """the connection is closed without an answer"""
    cut_after: int | None = None
    """the connection is closed after so many bytes of the body"""
    hold_after: int | None = None
    """after so many bytes of the body nothing comes until `release`"""


@dataclass
class Request:
    """What was asked, and what was sent."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent_bytes: int = 0

    @property
    def range(self) -> str | None:
        """The Range header."""
        return self.headers.get("range")


class Server:
    """Serves `files`, a dict from path to bytes that may be changed at any time."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.always: dict[str, Fault] = {}
        """faults of every answer for a path"""
        self.requests: list[Request] = []
        self._next: dict[str, list[Fault]] = {}
        self._released = threading.Event()
        self._httpd = _Httpd(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.release()
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    def url(self, path: str) -> str:
        """Give the address of a path."""
        return f"http://127.0.0.1:{self._httpd.server_address[1]}{path}"

    def etag(self, path: str) -> str:
        """Give the ETag of a file: it follows its content."""
        return f'"{hashlib.sha256(self.files[path]).hexdigest()[:16]}"'

    def next_answers(self, path: str, *faults: Fault) -> None:
        """Set faults of the next answers for a path, one each; those after are right again."""
        self._next.setdefault(path, []).extend(faults)

    def release(self) -> None:
        """Let answers go on that are held, now and from now on."""
        self._released.set()

    def sent_bytes(self, path: str) -> int:
        """Sum up the bytes of bodies sent for a path."""
        return sum(request.sent_bytes for request in self.requests if request.path == path)

    def fault(self, path: str) -> Fault:
        """Take the fault of the answer that is due."""
        waiting = self._next.get(path)
        return waiting.pop(0) if waiting else self.always.get(path, Fault())

    def hold(self) -> None:
        """Wait for `release`."""
        self._released.wait(30)


class _Httpd(ThreadingHTTPServer):
    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks DNS for a name

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show what is wrong with us, and not that a client has gone, as in some tests it must."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """The test's output is no access log."""

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, headers)
        self.owner.requests.append(request)
        fault = self.owner.fault(path)
        if fault.drop:
            self.close_connection = True
            return
        request.status, head, body = self._right(path, headers, fault)
        self._send_head(request.status, head, fault)
        if self.command != "HEAD":
            self._send_body(request, body if fault.body is None else fault.body, fault)

    def _right(
        self, path: str, headers: Mapping[str, str], fault: Fault
    ) -> tuple[int, dict[str, str], bytes]:
        """Give status, headers and body, with the faults that concern the choice of them."""
        content = self.owner.files.get(path)
        if fault.status or content is None:
            return fault.status or 404, {"Content-Length": "0"}, b""
        head = {"ETag": self.owner.etag(path), "Last-Modified": LAST_MODIFIED}
        status, start, end = self._part(headers, head, len(content), fault)
        if status == 416:
            return 416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"}, b""
        if status == 206:
            head["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        return status, {**head, "Content-Length": str(end - start)}, content[start:end]

    def _part(
        self, headers: Mapping[str, str], head: Mapping[str, str], length: int, fault: Fault
    ) -> tuple[int, int, int]:
        """Give the status, and the first byte and the one after the last, that Range asks for."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        same = headers.get("if-range") in (None, *head.values())
        if not asked or not fault.ranges or not same:
            return 200, 0, length
        start, end = int(asked[1]), min(int(asked[2] or length - 1) + 1, length)
        return (206, start, end) if start < end else (416, 0, 0)

    def _send_head(self, status: int, head: Mapping[str, str], fault: Fault) -> None:
        self.send_response(status)
        for name, value in {**head, **fault.headers}.items():
            if value and (fault.announce or name != "Content-Length"):
                self.send_header(name, value)
        if not fault.announce:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_body(self, request: Request, body: bytes, fault: Fault) -> None:
        end = len(body) if fault.cut_after is None else fault.cut_after
        held = end if fault.hold_after is None else min(fault.hold_after, end)
        self._send(request, body[:held])
        if fault.hold_after is not None:
            self.owner.hold()
        self._send(request, body[held:end])
        if fault.cut_after is not None or fault.body is not None:
            self.close_connection = True

    def _send(self, request: Request, body: bytes) -> None:
        for start in range(0, len(body), PIECE_BYTES):
            piece = body[start : start + PIECE_BYTES]
            request.sent_bytes += len(piece)  # before the client can have it and look
            self.wfile.write(piece)
