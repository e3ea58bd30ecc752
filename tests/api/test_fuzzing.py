"""The server keeps what its own OpenAPI document promises, whatever schemathesis sends it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick.model.tokens import Scope
from tests.api.service import Service

# JSON Schema cannot say that a plan must exist, that prices must divide, or that the name in a body is that of the
# path, so that it takes for valid what is rightly refused.
LEFT_OUT = dict.fromkeys(Scope, "positive_data_acceptance")
# Each job of a request stands alone: one that breaks the schema is rejected by itself, in an answer of 200.
LEFT_OUT[Scope.INGEST] += ",negative_data_rejection"
EXAMPLES = 4


@pytest.mark.parametrize("scope", [Scope.ADMIN, Scope.INGEST, Scope.USAGE])
def test_the_server_answers_as_its_document_says(fresh: Service, scope: Scope, randomness: random.Random) -> None:
    fresh.post_jobs(
        [{"id": "1", "account": "acme", "api_key": "k", "completed_at": "2025-01-11T20:12:01Z", "tokens": {}}]
    )
    token = fresh.token(scope, "acme" if scope is Scope.USAGE else None)
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{fresh.url}/openapi.json",
        f"--header=Authorization: Bearer {token}",
        "--exclude-checks",
        LEFT_OUT[scope],
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        str(randomness.randrange(2**32)),
        "--phases",
        "examples,coverage,fuzzing",
        "--no-color",
    ]
    root = Path(__file__).resolve().parent.parent.parent
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.api.media_hooks", "PYTHONPATH": str(root)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=fresh.folder, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Test cases:" in done.stdout
