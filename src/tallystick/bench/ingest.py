"""Jobs reported to the server: in batches beside a bare insert, one by one beside a call that does nothing."""

from __future__ import annotations

import time

from tallystick.bench.figures import Figure, Pair, figure_of
from tallystick.bench.routes import NOTHING
from tallystick.bench.site import Site
from tallystick.bench.sizes import Sizes
from tallystick.bench.workload import ID_ORDERS, IdOrder
from tallystick.store import measuring


def batch_figures(site: Site, sizes: Sizes) -> list[Figure]:
    """Batches of each size, with ids of each order."""
    figures = []
    for jobs_each, total in sizes.batch_jobs.items():
        for order in ID_ORDERS:
            name = f"{jobs_each:,} a request, {order}"
            rounds = []
            for number in range(sizes.rounds):
                site.begin(f"ingest, {name}, round {number + 1} of {sizes.rounds}")
                rounds.append(_batch_round(site, sizes, jobs_each, total, order))
            figures.append(figure_of(site.engine, "ingest", name, "jobs/s", "bare insert", rounds))
    return figures


def _batch_round(site: Site, sizes: Sizes, jobs_each: int, total: int, order: IdOrder) -> Pair:
    jobs = site.workload.jobs(total, order)
    bodies = list(jobs.bodies(jobs_each))
    with measuring.bare_connection(site.floor) as connection:
        began = time.perf_counter()
        measuring.insert_bare(connection, jobs.rows, site.meters, commit_jobs=jobs_each)
        floor = total / (time.perf_counter() - began)
    sent = site.post_jobs(jobs, bodies, connections=sizes.batch_connections)
    return Pair(total / sent.seconds, floor)


def single_figures(site: Site, sizes: Sizes) -> list[Figure]:
    """Jobs in a request of their own each, on many connections."""
    rounds = []
    for number in range(sizes.rounds):
        site.begin(f"single jobs, round {number + 1} of {sizes.rounds}")
        jobs = site.workload.jobs(sizes.singles, "random")
        bodies = list(jobs.single_bodies())
        nothing = site.server.send([site.post(NOTHING, body) for body in bodies], connections=sizes.single_connections)
        sent = site.post_jobs(jobs, bodies, connections=sizes.single_connections)
        rounds.append(Pair(len(bodies) / sent.seconds, len(bodies) / nothing.seconds))
    name = f"1 a request, {sizes.single_connections} connections"
    return [figure_of(site.engine, "single", name, "jobs/s", "nothing", rounds)]
