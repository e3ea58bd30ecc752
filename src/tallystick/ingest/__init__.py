"""Ingest: from the bytes of a request to stored jobs, each item standing alone."""

from tallystick.ingest.bodies import BodyForm, read_body, read_jobs
from tallystick.ingest.checks import check
from tallystick.ingest.intake import Batch, Directory, Intake

__all__ = ["Batch", "BodyForm", "Directory", "Intake", "check", "read_body", "read_jobs"]
