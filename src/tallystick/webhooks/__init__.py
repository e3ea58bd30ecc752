"""Telling accounts and the provider in time: what runs beside the server.

`telling` starts it and ends it. It runs in a thread with an event loop of its own, so that neither holds up the other.
"""

from tallystick.webhooks.background import telling

__all__ = ["telling"]
