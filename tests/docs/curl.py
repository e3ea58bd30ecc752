"""As much of curl as the documentation uses, so that its examples run where curl is not installed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx


def main() -> None:
    """Send one request and write its answer's body; the exit status is 22 for an error answer, as with -f."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-X", dest="method")
    parser.add_argument("-d", "--json", "--data-binary", dest="data")
    parser.add_argument("-o", dest="output")
    parser.add_argument("-s", action="store_true")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    if "--json" in sys.argv:
        headers["Content-Type"] = "application/json"
    body = None if given.data is None else _body(given.data)
    method = given.method or ("GET" if body is None else "POST")
    answer = httpx.request(method, given.url, headers=headers, content=body, timeout=60)
    if given.output:
        Path(given.output).write_bytes(answer.content)
    else:
        sys.stdout.buffer.write(answer.content + b"\n")
    sys.exit(22 if answer.is_error else 0)


def _body(data: str) -> bytes:
    return Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()


if __name__ == "__main__":
    main()
