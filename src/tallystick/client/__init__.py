"""The SDK: `Client` and `AsyncClient`, twins that differ in sending alone."""

from __future__ import annotations

from tallystick.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
