"""A server that tries webhooks again in a hurry, else as ``tallystick serve``: ``python -m tests.faults.hasty``."""

from __future__ import annotations

import os
import sys

from tallystick import serve
from tallystick.model.instants import SECOND
from tallystick.model.webhooks import Policy
from tallystick.settings import settings_from

HASTY = Policy(retries=(SECOND // 10, SECOND // 5, *[SECOND // 2] * 100), timeout=SECOND)
"""Waits of tenths of seconds instead of hours; a delivery that a killed server held is free after two seconds."""


def main() -> None:
    """Serves until it is ended."""

    def tell(url: str) -> None:
        sys.stdout.write(f"{url}/usage\n")
        sys.stdout.flush()

    serve.run(os.environ["TALLYSTICK_DATABASE"], settings_from(os.environ), "127.0.0.1", 0, tell, policy=HASTY)


if __name__ == "__main__":
    main()
