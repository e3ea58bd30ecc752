"""A process that closes a month when it is told, so that it can be killed midway.

``python -m tests.faults.closer DATABASE KEYS`` says that it is ready, waits for a month on standard input and says when
it is done with an account. KEYS is the folder of the signing keys.
"""

from __future__ import annotations

import sys

from tallystick.ledger import Ledger
from tallystick.settings import Settings


def main(database: str, keys: str) -> None:
    """Closes one month."""
    with Ledger(database, settings=Settings(signing_folder=keys, grace_hours=0)) as ledger:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        month = sys.stdin.readline().strip()
        ledger.statements.close(month, progress=lambda account, _: _say(account.account))


def _say(account: str) -> None:
    sys.stdout.write(f"{account}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
