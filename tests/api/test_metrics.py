"""/metrics counts what happens, for whom the setting allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tallystick.model.tokens import Scope
from tallystick.settings import Settings
from tests.api.service import Service, job, service


def figures(text: str) -> dict[str, float]:
    """Every sample by its name and labels."""
    return {
        f"{sample.name}{dict(sorted(sample.labels.items()))}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_jobs_commits_and_requests_are_counted_by_what_became_of_them(fresh: Service) -> None:
    fresh.post_jobs([job(id="a"), job(id="b"), {"id": "broken"}])
    fresh.post_jobs([job(id="a")])
    fresh.call("GET", "/a path that somebody made up")
    response = fresh.call("GET", "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = figures(response.text)
    assert found["tallystick_jobs_total{'outcome': 'accepted'}"] == 2
    assert found["tallystick_jobs_total{'outcome': 'duplicate'}"] == 1
    assert found["tallystick_jobs_total{'outcome': 'rejected'}"] == 1
    assert found["tallystick_commit_jobs_sum{}"] == 4
    assert found["tallystick_commit_seconds_count{}"] == 2
    assert found["tallystick_queue_jobs{}"] == 0
    assert found["tallystick_database_bytes{}"] > 0
    assert found["tallystick_requests_total{'method': 'POST', 'route': '/jobs', 'status': '200'}"] == 2
    assert found["tallystick_requests_total{'method': 'GET', 'route': 'unrouted', 'status': '404'}"] == 1
    assert found["tallystick_request_seconds_count{'method': 'POST', 'route': '/jobs'}"] == 2


def test_made_up_methods_and_paths_do_not_become_labels(fresh: Service) -> None:
    for number in range(3):
        fresh.call(f"METHOD{number}", f"/path{number}")
    text = fresh.call("GET", "/metrics").text
    assert "METHOD" not in text
    assert "path0" not in text


@pytest.mark.parametrize(
    ("who", "without", "with_usage", "with_admin"),
    [("public", 200, 200, 200), ("admin", 401, 403, 200), ("off", 404, 404, 404)],
)
def test_the_setting_says_who_may_read_them(
    tmp_path: Path, who: str, without: int, with_usage: int, with_admin: int
) -> None:
    with service(tmp_path, Settings(metrics=who)) as serving:  # type: ignore[arg-type]  # each is one of the literals
        serving.post_jobs([job("acme")])
        assert serving.call("GET", "/metrics").status_code == without
        assert serving.call("GET", "/metrics", token=serving.token(Scope.USAGE, "acme")).status_code == with_usage
        assert serving.admin("GET", "/metrics").status_code == with_admin
