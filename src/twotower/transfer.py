"""One file over HTTP into a partial file: resumed, retried, and never of another length.

In: an address, the length that the file must have, and the path of the partial file, which may hold
the first bytes already. Out: the partial file at its full length; its content is for the caller to
verify. Beside it stands a small JSON file with what the server calls this version of the file, so
that two versions are not joined. `requests` does the talking, because it follows redirects and
heeds the proxies and certificates of the environment.
"""

from __future__ import annotations

import contextlib
import email.utils
import logging
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twotower.errors import DownloadError
from twotower.files import read_json, write_json, writing
from twotower.progress import progress

if TYPE_CHECKING:
    from requests import Response, Session
    from requests.structures import CaseInsensitiveDict

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often in a row an attempt may bring no new byte."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
LONGEST_RETRY_AFTER_S = 300.0
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 15.0, 60.0
REDIRECTS = 10
CHUNK_BYTES = 1 << 18
LATER = "run again later: what has come is kept"


class _TransientError(Exception):
    """Something that may be otherwise at the next attempt."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Transfer:
    """Brings one file; `joined` tells whether its bytes come from more than one answer."""

    def __init__(self, url: str, size_bytes: int, partial: Path) -> None:
        """Nothing is sent before `run`."""
        self.url, self.size_bytes, self.partial = url, size_bytes, partial
        self.validator_path = partial.with_name(f"{partial.name}.json")
        self.joined = self.have() > 0
        self._resumable = True
        self._furthest, self._failures = self.have(), 0

    def have(self) -> int:
        """Give the bytes that are there."""
        return self.partial.stat().st_size if self.partial.exists() else 0

    def discard(self) -> None:
        """Remove what is there."""
        self.partial.unlink(missing_ok=True)
        self.validator_path.unlink(missing_ok=True)

    def run(self) -> None:
        """Bring what is missing; raises DownloadError."""
        name = self.partial.stem
        with progress(self.size_bytes, "B", name, initial=self.have()) as bar:
            while self.have() < self.size_bytes:
                try:
                    self._attempt(bar)
                except _TransientError as error:
                    self._pause(error)

    def _pause(self, error: _TransientError) -> None:
        """Wait, longer each time; an attempt that brought new bytes counts as a success."""
        self._failures = 0 if self.have() > self._furthest else self._failures + 1
        self._furthest = max(self._furthest, self.have())
        if self._failures >= ATTEMPTS:
            raise DownloadError(f"{self.url}: {error} ({ATTEMPTS} attempts); {LATER}")
        if error.after_s > LONGEST_RETRY_AFTER_S:
            raise DownloadError(f"{self.url}: {error}, to wait {error.after_s:,.0f} s; {LATER}")
        if self.have() == self.size_bytes:
            return  # it ended badly, but with all that was wanted
        wait_s = min(FIRST_WAIT_S * 2**self._failures, LONGEST_WAIT_S) * random.uniform(0.5, 1)
        wait_s = max(wait_s, error.after_s)
        log.warning("%s: %s; tried again in %.1f s", self.partial.stem, error, wait_s)
        time.sleep(wait_s)

    def _attempt(self, bar: Any) -> None:
        import requests
        from urllib3.exceptions import HTTPError

        asked = self.have() if self._resumable else 0
        with requests.Session() as session, self._ask(session, asked) as response:
            start = self._judge(response, asked)
            try:
                self._write(response, start, bar)
            except HTTPError as error:
                raise _TransientError(_reason(error)) from None

    def _ask(self, session: Session, asked: int) -> Response:
        import requests

        session.max_redirects = REDIRECTS
        times = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        try:
            return session.get(self.url, headers=self._headers(asked), stream=True, timeout=times)
        # Errors about addresses and headers are ValueErrors: another attempt would not mend them.
        except (requests.TooManyRedirects, ValueError) as error:
            raise DownloadError(f"{self.url}: {error}") from None
        except requests.RequestException as error:
            raise _TransientError(_reason(error)) from None
        except OSError as error:  # the environment names certificates that are not there
            raise DownloadError(f"{self.url}: {error}") from None

    def _headers(self, asked: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", "User-Agent": "twotower"}
        if asked:
            headers["Range"] = f"bytes={asked}-"
            if validator := self._validator():
                headers["If-Range"] = validator
        return headers

    def _judge(self, response: Response, asked: int) -> int:
        """Accept or refuse an answer by its head; give the offset of its first byte."""
        status, headers = response.status_code, response.headers
        answer = f"HTTP {status} {response.reason}"
        if status in (408, 429) or status >= 500:
            raise _TransientError(answer, _retry_after_s(headers.get("Retry-After", "")))
        if status == 416 and asked:
            self._resumable = False
            raise _TransientError(f"{answer}: nothing from byte {asked:,} on; begun anew")
        if status not in (200, 206):
            raise DownloadError(f"{response.url}: {answer}")
        start, total = _extent(status, headers)
        if total not in (None, self.size_bytes):
            raise DownloadError(
                f"{response.url}: announces {total:,} bytes instead of {self.size_bytes:,}"
            )
        if status == 206 and start != asked:
            self._resumable = False
            raise _TransientError(f"another part than asked for from byte {asked:,}; begun anew")
        if start < asked:
            log.warning("%s: the server does not resume; begun anew", self.partial.stem)
        return start

    def _write(self, response: Response, start: int, bar: Any) -> None:
        bar.update(start - self.have())
        self.joined = start > 0
        with self.partial.open("ab" if start else "wb") as file:
            if start == 0:  # only now, when the bytes of another version are gone
                self._remember(response.headers)
            # read1 gives what has arrived: a stall or a cut costs none of it
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                start += len(chunk)
                if start > self.size_bytes:
                    file.truncate(0)
                    raise DownloadError(f"{response.url}: more than {self.size_bytes:,} bytes came")
                file.write(chunk)
                file.flush()
                bar.update(len(chunk))
        if start < self.size_bytes:
            raise _TransientError(f"ended after {start:,} of {self.size_bytes:,} bytes")

    def _remember(self, headers: CaseInsensitiveDict[str]) -> None:
        """Keep the ETag, or the date where there is none or a weak one, which If-Range forbids."""
        etag = headers.get("ETag", "")
        validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
        with writing(self.validator_path) as path:
            write_json(path, {"url": self.url, "validator": validator})

    def _validator(self) -> str:
        """Give what was kept; nothing where it is lost or another server's: then all must match."""
        with contextlib.suppress(FileNotFoundError, ValueError, LookupError, TypeError):
            kept = read_json(self.validator_path)
            return str(kept["validator"]) if kept["url"] == self.url else ""
        return ""


def _extent(status: int, headers: CaseInsensitiveDict[str]) -> tuple[int, int | None]:
    """Give the offset of the first byte, and the length of the whole file where it is told."""
    if status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        start, total = found.groups() if found else ("-1", "*")
        return int(start), None if total == "*" else int(total)
    length = headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _retry_after_s(value: str) -> float:
    """Read a Retry-After header, seconds or a date (negative if past); 0 for anything else."""
    if value.isdecimal():
        return float(value)
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return 0.0


def _reason(error: Exception) -> str:
    """Give the cause without the layers around it."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", inner))
