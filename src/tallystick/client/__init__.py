"""The SDK: `Client` and `AsyncClient`, twins that differ in sending alone, and what reads received webhooks."""

from __future__ import annotations

from tallystick.client.clients import AsyncClient, Client
from tallystick.client.unwrapping import unwrap as unwrap_webhook

__all__ = ["AsyncClient", "Client", "unwrap_webhook"]
