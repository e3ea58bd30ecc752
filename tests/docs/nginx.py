"""A proxy that does what a block of nginx's configuration says, as far as the documentation says anything.

It stands where TLS ends: what it is asked over HTTP counts as https.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import httpx

_DIRECTIVE: Final = re.compile(r"^\s*([a-z_]+)\s+(.*);$", re.MULTILINE)
_KNOWN: Final = {
    *("listen", "server_name", "proxy_pass", "proxy_http_version", "proxy_set_header", "proxy_buffering"),
    "client_max_body_size",
}


@contextmanager
def proxying(configuration: str) -> Iterator[str]:
    """The address of a proxy with this configuration. Raises `AssertionError` for a directive that it does not know."""
    directives = [(found[1], found[2]) for found in _DIRECTIVE.finditer(configuration)]
    assert {name for name, _ in directives} <= _KNOWN, f"unknown to this proxy: {configuration}"
    (target,) = [value for name, value in directives if name == "proxy_pass"]
    headers = dict(value.split(" ", 1) for name, value in directives if name == "proxy_set_header")

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            variables = {
                "$host": self.headers["Host"],
                "$scheme": "https",
                "$proxy_add_x_forwarded_for": ", ".join(
                    [*self.headers.get_all("X-Forwarded-For", []), self.client_address[0]]
                ),
            }
            set_here = {name: variables[value] for name, value in headers.items()}
            kept = {name: value for name, value in self.headers.items() if name.title() not in set_here}
            length = int(self.headers.get("Content-Length", "0"))
            answer = httpx.request(
                self.command, target + self.path, headers={**kept, **set_here}, content=self.rfile.read(length)
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in {"content-encoding", "content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """It is not the proxy's log that is tested."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
