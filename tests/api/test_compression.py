"""Gzip on answers."""

from __future__ import annotations

import gzip

import pytest

from tallystick.api.compression import accepts_gzip, compress, is_worth_it
from tests.api.service import JANUARY, Service


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("gzip;q=1.000", True),
        ("gzip;q=0.001", True),
        ("gzip ; q=0.1", True),
        ("*", True),
        ("*;q=0.5", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=nonsense", False),
        ("gzip;q=-1", False),
        ("gzip;q=2", False),
        ("*, gzip;q=0", False),
        ("identity, *;q=0", False),
        ("gzipped", False),
    ],
)
def test_gzip_is_accepted_by_name_or_star_with_a_weight(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("content_type", "size", "worth"),
    [
        ("application/json", 1000, True),
        ("application/problem+json", 2000, True),
        ("text/html; charset=utf-8", 5000, True),
        ("application/json", 999, False),
        ("image/png", 5000, False),
        ("", 5000, False),
    ],
)
def test_only_texts_of_some_size_are_worth_it(content_type: str, size: int, worth: bool) -> None:
    assert is_worth_it(content_type, size) is worth


def test_equal_bodies_give_equal_bytes() -> None:
    assert compress(b"x" * 5000) == compress(b"x" * 5000)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui-bundle.js", "/jobs"])
def test_a_large_answer_is_compressed_for_who_takes_it_and_stays_the_same(shared: Service, path: str) -> None:
    params = {**JANUARY, "account": "acme", "limit": "1000"} if path == "/jobs" else {}
    plain = shared.admin("GET", path, params=params, headers={"Accept-Encoding": "identity"})
    with shared.client.stream(
        "GET", path, params=params, headers={"Accept-Encoding": "gzip", "X-Api-Key": shared.token("admin")}
    ) as zipped:
        raw = b"".join(zipped.iter_raw())
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) == len(raw) < len(plain.content)
    assert gzip.decompress(raw) == plain.content
    assert "content-encoding" not in plain.headers
    assert zipped.headers["etag"] == plain.headers["etag"]
    assert "Accept-Encoding" in plain.headers["vary"]
    assert "Accept-Encoding" in zipped.headers["vary"]


def test_a_small_answer_is_sent_as_it_is(shared: Service) -> None:
    response = shared.call("GET", "/healthz", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers


def test_an_answer_that_is_no_read_says_that_it_varies_too(shared: Service) -> None:
    response = shared.post_jobs([{}] * 20, headers={"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept-Encoding"
    assert len(response.json()["rejected"]) == 20
