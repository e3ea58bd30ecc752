"""The customer's check of a statement: the ledger is read, rated and rounded again, and compared to the last digit.

::

    from tallystick import Client, verify

    with Client(base_url="https://usage.example", token="...") as client:
        print(verify.statement(client, "2025-01"))

What was checked before is remembered in a small file, so that each check goes on from a month that can be trusted.
"""

from __future__ import annotations

from tallystick.verify.checking import statement
from tallystick.verify.differences import Difference
from tallystick.verify.verification import CheckedMonth, Verification

__all__ = ["CheckedMonth", "Difference", "Verification", "statement"]
