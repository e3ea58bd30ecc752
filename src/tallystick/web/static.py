"""The pages' own files: styles, scripts and icon. Their address holds a digest, so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Final

from litestar.exceptions import NotFoundException
from litestar.response import Response

from tallystick.web.bundle import bundle, bundle_version
from tallystick.web.request import PageRequest

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
BUNDLE: Final = "vega.js"
"""The charting scripts, which are made and not a file of ours."""

FOR_GOOD: Final = "public, max-age=31536000, immutable"


@lru_cache(maxsize=1)
def assets() -> dict[str, bytes]:
    """Every file by its name."""
    folder = resources.files("tallystick.web") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in MEDIA_TYPES}


@lru_cache(maxsize=1)
def digest() -> str:
    """Names the state of all files together: a script may import another by its name."""
    state = hashlib.blake2b(bundle_version().encode(), digest_size=8)
    for name, body in sorted(assets().items()):
        state.update(f"{name} {len(body)} ".encode() + body)
    return state.hexdigest()


def asset_link(request: PageRequest, name: str) -> str:
    """The address of a file. Raises `KeyError` for one that there is not."""
    assert name == BUNDLE or assets()[name]
    return request.link(f"/static/{digest()}/{name}")


def answer_asset(name: str) -> Response[bytes]:
    """A file, to be kept for good."""
    if name != BUNDLE and name not in assets():
        raise NotFoundException
    headers = {"Cache-Control": FOR_GOOD}
    body = bundle() if name == BUNDLE else assets()[name]
    return Response(body, media_type=MEDIA_TYPES[name.rpartition(".")[2]], headers=headers)
