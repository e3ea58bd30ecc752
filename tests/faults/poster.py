"""A process that posts all jobs of a workload, split in its own way: ``python -m tests.faults.poster WORKLOAD SPLIT``.

WORKLOAD is the seed, then the size's numbers; URL and token come in the environment. It waits for a line on standard
input, so that several begin together, and writes what was answered: how many jobs were accepted and duplicates.
"""

from __future__ import annotations

import json
import os
import random
import sys

import httpx

from tests.faults.workload import ANSWER_SECONDS, Size, Workload


def main(seed: int, parcels: int, jobs: int, clients: int, faults: int, split: int) -> None:
    """Posts everything once."""
    workload = Workload(seed, Size(parcels, jobs, clients, faults))
    numbers = random.Random(f"{seed} split {split}")
    # Both go about in the same order, so that they meet at the same jobs all the time.
    left = workload.jobs
    accepted = duplicates = 0
    with httpx.Client(timeout=ANSWER_SECONDS, headers={"X-Api-Key": os.environ["POSTER_TOKEN"]}) as client:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        while left:
            count = numbers.choice((1, 2, 10, jobs))
            part, left = left[:count], left[count:]
            answer = client.post(f"{os.environ['POSTER_URL']}/jobs", json=numbers.sample(part, len(part)))
            assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
            result = answer.json()
            assert not result["rejected"], result
            accepted += result["accepted"]
            duplicates += result["duplicates"]
    sys.stdout.write(f"{json.dumps([accepted, duplicates])}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
