"""Statements on paper: a page that needs nothing but itself, to be printed or kept."""

from __future__ import annotations

from tallystick.printing.statement import POLICY, statement_page

__all__ = ["POLICY", "statement_page"]
