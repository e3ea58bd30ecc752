"""Plan versions between months: one that priced a month is the same in every other that names it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from tallystick.model.explanation import ExplainedPlan
from tallystick.model.statement import Statement
from tallystick.model.wire import encode
from tallystick.verify.differences import Mismatch, first_difference
from tallystick.verify.trust import TrustedPlan

_Version = tuple[str, str | None]


class PlanVersions:
    """The plan versions that statements named: of those read now the document is known, of others its SHA-256."""

    def __init__(self, remembered: Iterable[TrustedPlan]) -> None:
        self._digests = {(each.plan, each.plan_version): each.sha256 for each in remembered}
        self._read: dict[_Version, tuple[str, dict[str, Any]]] = {}

    @property
    def remembered(self) -> tuple[TrustedPlan, ...]:
        """What is to be remembered of them."""
        return tuple(TrustedPlan(*version, sha256) for version, sha256 in self._digests.items())

    def take(self, found: Statement) -> None:
        """Goes by the plan versions of a statement that held."""
        for named in found.plans:
            version = (named.plan, named.plan_version)
            self._read.setdefault(version, (found.month, named.document))
            self._digests.setdefault(version, _digest(named))

    def check(self, found: Statement) -> None:
        """Raises `Mismatch` where a statement names a plan version that was another one before."""
        for named in found.plans:
            version = (named.plan, named.plan_version)
            told = f"its plan {named.plan}{f' of {named.plan_version}' if named.plan_version else ''}"
            month, document = self._read.get(version, ("", named.document))
            different = first_difference(named.document, document)
            if different is not None:
                raise Mismatch("terms", f"{told} differs from the one that priced {month}: {different.change}")
            if self._digests.get(version, _digest(named)) != _digest(named):
                raise Mismatch("terms", f"{told} is another one than in statements that were checked before")


def _digest(named: ExplainedPlan) -> str:
    return hashlib.sha256(encode(named.document)).hexdigest()
