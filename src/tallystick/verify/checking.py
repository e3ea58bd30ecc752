"""Checking a statement: from one that can be trusted, month by month, to the one that is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from tallystick.client import Client
from tallystick.errors import ResourceNotFound
from tallystick.model.months import Month
from tallystick.model.statement import SignedStatement, Statement
from tallystick.verify.differences import Difference, Mismatch
from tallystick.verify.keyring import Keyring
from tallystick.verify.months import check_month, check_opening, read
from tallystick.verify.plans import PlanVersions
from tallystick.verify.trust import Trust, TrustedFile, default_file
from tallystick.verify.verification import CheckedMonth, Verification

_LINES_AT_ONCE: Final = 20_000

Progress = Callable[[str, int, int], None]
"""Hears of a month, how many of its jobs are checked, and how many the statement counts."""


def _ignore(_: str, __: int, ___: int) -> None:
    pass


def statement(
    client: Client,
    month: str,
    *,
    account: str | None = None,
    trusted: str | PathLike[str] | None = None,
    trust_key: str | None = None,
    progress: Progress = _ignore,
    environment: Mapping[str, str] | None = None,
) -> Verification:
    """Checks the statement of a month (``YYYY-MM``), with a token that may read the account's usage.

    The ledger of the month is downloaded; its order, ranks, digest and counters are checked, the month is rated and
    rounded again by the code that the server uses, and every number of the statement is compared with what comes of it;
    what the ledger's lines say of their own costs is not read. A plan version must be the same in all months; the
    signature and the chain of statements are checked. It begins behind the last statement that held before, or with the
    account's first month, and checks every month from there. What held is remembered in `trusted` (by default
    ``tallystick/trusted.json`` in the user's state folder), with the signing key: another one must be signed by it,
    unless `trust_key` names it. `account` is for admin tokens; `environment` stands in for the variables of the
    process. Memory does not grow with the ledger.

    What does not hold is the result's `difference`, not an error. Raises `InvalidInput` (codes ``invalid_month``,
    ``invalid_trusted_file``), `ResourceNotFound` (code ``no_statement``) where the month is not closed, and
    `RequestError`.
    """
    wanted = Month.parse(month)
    variables = os.environ if environment is None else environment
    file = TrustedFile(default_file(variables) if trusted is None else Path(trusted))
    check = _Check(client, wanted, account, file, trust_key, progress)
    return check.run()


class _Link(NamedTuple):
    """A statement of the chain: its month and the SHA-256 that the one behind it names, or that is remembered."""

    month: str
    sha256: str


class _Check:
    """One check, which remembers each month that held before it goes on."""

    def __init__(
        self,
        client: Client,
        month: Month,
        account: str | None,
        file: TrustedFile,
        trust_key: str | None,
        progress: Progress,
    ) -> None:
        self._client = client
        self._month = str(month)
        self._asked = account
        self._file = file
        self._trust_key = trust_key
        self._progress = progress
        self._checked: list[CheckedMonth] = []
        self._at = self._month
        """The month that is looked at, which is to blame for what does not hold."""

    def run(self) -> Verification:
        self._file.prepare()
        signed = self._client.statements.get(self._month, account=self._asked)
        offered = self._client.statements.signing_keys()
        # Until its signature is checked, what it says of itself is believed only so far as to look up what is known.
        trust = Trust(server=self._client.base_url, account=self._asked or "")
        opening: str | None = None
        currency = ""
        keyring = Keyring((), offered, self._trust_key)
        difference = None
        try:
            last = self._read(signed)
            currency = last.currency
            trust = self._file.find(self._client.base_url, last.account)
            keyring = Keyring(trust.signing_keys, offered, self._trust_key)
            opening, chain = self._chain(signed, last, trust)
            self._walk(opening, chain, trust, keyring)
        except Mismatch as mismatch:
            difference = Difference(month=self._at, code=mismatch.code, detail=mismatch.detail)
        return Verification(
            server=self._client.base_url,
            account=trust.account,
            month=self._month,
            currency=currency,
            opening=opening,
            months=tuple(self._checked),
            key_is_new=keyring.first_seen,
            replaced_key=keyring.replaced,
            key_by_word=keyring.replaced is not None and keyring.trusted[-1].id == self._trust_key,
            trusted_file=str(self._file.path),
            difference=difference,
        )

    def _read(self, signed: SignedStatement) -> Statement:
        """What a statement says. Raises `Mismatch` where it is none, or not of what was asked for."""
        found = read(signed)
        if found.month != self._at:
            raise Mismatch("terms", f"it is of {found.month}, and was given for {self._at}")
        if self._asked is not None and found.account != self._asked:
            raise Mismatch("terms", f"it is of account {found.account}, and {self._asked} was asked for")
        return found

    def _get(self, link: _Link, named_by: str) -> SignedStatement:
        """A statement of the chain. Raises `Mismatch` where it is not the one that its successor names."""
        self._at = link.month
        try:
            signed = self._client.statements.get(link.month, account=self._asked)
        except ResourceNotFound as error:
            if error.code != "no_statement":
                raise
            raise Mismatch("chain", f"there is none, and that of {named_by} comes behind it") from None
        if signed.sha256 != link.sha256:
            raise Mismatch("chain", f"it has SHA-256 {signed.sha256}, and that of {named_by} names {link.sha256}")
        return signed

    def _chain(self, signed: SignedStatement, last: Statement, trust: Trust) -> tuple[str | None, list[_Link]]:
        """The statements to be checked, the first one first, and the month of the one that is trusted before them.

        Goes back from one to the one that it names. Only months and digests are kept, however long it gets.
        """
        self._check_remembered(signed, trust)
        links = [_Link(last.month, signed.sha256)]
        found = last
        while found.previous is not None:
            link = _Link(found.previous.month, found.previous.sha256)
            if str(Month.parse(found.month) - 1) != link.month:
                raise Mismatch("chain", f"it names the statement of {link.month} as the one before it")
            remembered = trust.statements.get(link.month)
            if remembered == link.sha256:
                return link.month, links[::-1]
            if remembered is not None:
                raise Mismatch(
                    "statement_replaced",
                    f"it names a statement of {link.month} with SHA-256 {link.sha256}; the one that was checked before "
                    f"has {remembered}",
                )
            found = self._read(self._get(link, named_by=links[-1].month))
            links.append(link)
        return None, links[::-1]

    def _check_remembered(self, signed: SignedStatement, trust: Trust) -> None:
        remembered = trust.statements.get(self._month)
        if remembered is not None and remembered != signed.sha256:
            raise Mismatch(
                "statement_replaced",
                f"it has SHA-256 {signed.sha256}; the one that was checked before has {remembered}",
            )

    def _walk(self, opening: str | None, chain: list[_Link], trust: Trust, keyring: Keyring) -> None:
        previous: SignedStatement | None = None
        plans = PlanVersions(trust.plans)
        if opening is not None:
            previous = self._get(_Link(opening, trust.statements[opening]), named_by=chain[0].month)
            keyring.check(previous, not_before=None)
            plans.take(read(previous))
        for place, link in enumerate(chain):
            named_by = chain[place + 1].month if place + 1 < len(chain) else link.month
            signed = self._get(link, named_by)
            keyring.check(signed, not_before=None if previous is None else previous.signed_by)
            found = self._read(signed)
            before = None if previous is None else read(previous)
            check_opening(found, previous, before)
            self._checked.append(check_month(signed, found, plans, self._pages(found), self._hear(found)))
            plans.take(found)
            trust = msgspec.structs.replace(
                trust,
                account=found.account,
                signing_keys=tuple(keyring.trusted),
                statements={**trust.statements, link.month: link.sha256},
                plans=plans.remembered,
            )
            self._file.remember(trust)
            previous = signed

    def _hear(self, found: Statement) -> Callable[[int], None]:
        return lambda jobs: self._progress(found.month, jobs, found.jobs.live + found.jobs.voided)

    def _pages(self, found: Statement) -> Iterator[bytes]:
        """The month's lines. Each page is asked for again where the connection breaks off."""
        arguments: dict[str, Any] = {"account": self._asked, "voided": True, "limit": _LINES_AT_ONCE}
        cursor: str | None = None
        empty_pages = 0
        while True:
            page = self._client.jobs.lines(found.month, found.month, cursor=cursor, **arguments)
            yield page.body
            cursor = page.next_cursor
            if cursor is None:
                return
            # Without live jobs the first page is empty, and leads to the voided ones.
            empty_pages = 0 if page.body else empty_pages + 1
            if empty_pages > 1:
                raise Mismatch("unreadable", "the ledger goes on for ever, in empty pages")
