"""As much of curl as the README uses, so that its examples run where curl is not installed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx


def main() -> None:
    """Send one request and write the body of its answer; the exit status is 22 for an error answer, as with -f."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("--data-binary", dest="data")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    body = None if given.data is None else Path(given.data.removeprefix("@")).read_bytes()
    answer = httpx.request("GET" if body is None else "POST", given.url, headers=headers, content=body)
    sys.stdout.write(answer.text + "\n")
    sys.exit(22 if answer.is_error else 0)


if __name__ == "__main__":
    main()
