"""The API's description: the OpenAPI document, and a page that shows it without asking any other host."""

from __future__ import annotations

import importlib.resources
from functools import lru_cache
from typing import Final

from litestar import HttpMethod
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api.calls import JSON, PUBLIC, Answer, Call, Media, ref, route
from tallystick.api.conditional import SHARED, Content, answer_read
from tallystick.api.request import ApiRequest, in_thread

_TAG: Final = "operation"
_JAVASCRIPT: Final = "text/javascript"
_ETAG: Final = {"ETag": "Names this state; send it back as If-None-Match."}

_PAGE: Final = b"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tallystick API</title>
<link rel="icon" type="image/png" href="MOUNT/docs/favicon-32x32.png">
<link rel="stylesheet" href="MOUNT/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="MOUNT/docs/swagger-ui-bundle.js"></script>
<script src="MOUNT/docs/start.js"></script>
</body>
</html>
"""

# Without a validator address Swagger UI would send the document's address to a service of its makers.
_START: Final = b"""\
SwaggerUIBundle({
  url: "MOUNT/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
});
"""

_ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": _JAVASCRIPT,
    "favicon-32x32.png": "image/png",
}

# Swagger UI sets styles inline and draws its icons from data: addresses.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/openapi.json": "getOpenApi"},
        tag=_TAG,
        summary="This description",
        description="The OpenAPI 3.1 document of this server.",
        allowed=PUBLIC,
        answer=Answer(
            status=200,
            description="The document.",
            media={JSON: Media(schema=ref("OpenAPI"))},
            headers=_ETAG,
        ),
    )
)
async def get_openapi(request: ApiRequest) -> Response[bytes]:
    """GET /openapi.json."""
    return answer_read(request, Content(request.app.state.openapi(request.mount)), cache_control=SHARED)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/docs": "getDocs"},
        tag=_TAG,
        summary="This description as a page",
        description="Works without access to any other host.",
        allowed=PUBLIC,
        answer=Answer(
            status=200,
            description="The page.",
            media={"text/html": Media(schema={"type": "string"})},
            headers=_ETAG,
        ),
    )
)
async def get_docs(request: ApiRequest) -> Response[bytes]:
    """GET /docs."""
    page = Content(_mounted(_PAGE, request))
    return _with_policy(answer_read(request, page, media_type="text/html", cache_control=SHARED))


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/docs/{asset:str}": "getDocsAsset"},
        tag=_TAG,
        summary="A part of the page",
        description="Its scripts, styles and icon.",
        allowed=PUBLIC,
        path_parameters={"asset": "Name of the file."},
        answer=Answer(
            status=200,
            description="The file.",
            media={
                _JAVASCRIPT: Media(schema={"type": "string"}),
                "text/css": Media(schema={"type": "string"}),
                "image/png": Media(schema={"type": "string", "contentMediaType": "image/png"}),
            },
            headers=_ETAG,
        ),
        problems=(404,),
    )
)
async def get_docs_asset(request: ApiRequest) -> Response[bytes]:
    """GET /docs/{asset}."""
    name = request.path_name("asset")
    if name == "start.js":
        content, media_type = Content(_mounted(_START, request)), _JAVASCRIPT
    elif name in _ASSETS:
        content, media_type = Content(await in_thread(_asset, name)), _ASSETS[name]
    else:
        raise NotFoundException
    return _with_policy(answer_read(request, content, media_type=media_type, cache_control=SHARED))


def _mounted(text: bytes, request: ApiRequest) -> bytes:
    """Addresses as they are where another application has mounted this one; a mount is percent-encoded."""
    return text.replace(b"MOUNT", request.mount.encode())


@lru_cache
def _asset(name: str) -> bytes:
    return (importlib.resources.files("openapi_ui_bundles.swagger_ui") / "vendor" / name).read_bytes()


def _with_policy(response: Response[bytes]) -> Response[bytes]:
    response.headers["Content-Security-Policy"] = _POLICY
    return response


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (get_openapi, get_docs, get_docs_asset)
