"""Ingest: from the bytes of a request to stored jobs, each item standing alone."""

from tallystick.ingest.bodies import BodyForm, read_body, read_jobs
from tallystick.ingest.checks import check
from tallystick.ingest.group import CommitReport, GroupCommit
from tallystick.ingest.intake import Batch, Directory

__all__ = ["Batch", "BodyForm", "CommitReport", "Directory", "GroupCommit", "check", "read_body", "read_jobs"]
