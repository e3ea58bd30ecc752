"""Running the server: in this process until a signal ends it, or beside the program in a thread."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import uvicorn

from tallystick.errors import InvalidInput
from tallystick.ledger import Ledger
from tallystick.ledger.targets import networks_from
from tallystick.model.webhooks import STANDARD, Policy
from tallystick.serve.app import create_app
from tallystick.serve.logs import guard_loggers, log_to_standard_error
from tallystick.serve.protocol import LimitedProtocol
from tallystick.settings import Settings
from tallystick.webhooks import telling

KEEP_ALIVE_SECONDS: Final = 30
DRAIN_SECONDS: Final = 30
"""How long a stopping server waits for the requests that it has accepted."""

_CODE: Final = "cannot_listen"
FORCED_SECONDS: Final = 2.0
"""How long the process may take to end after a second signal; then it ends as it is."""

FORCED_CODE: Final = 1

_LAST_PORT: Final = 65535
_BACKLOG: Final = 2048
_STOP_SECONDS: Final = DRAIN_SECONDS + 10

_COLLECTED_AFTER: Final = 50_000
"""New objects after which the garbage collector looks at the young ones."""

OnReady = Callable[[str], None]
MakeApp = Callable[[Ledger, Settings], Any]
"""Makes the ASGI application: `create_app`, or one with more in it."""


def run(
    database: str,
    settings: Settings,
    host: str,
    port: int,
    on_ready: OnReady | None = None,
    *,
    make_app: MakeApp = create_app,
    policy: Policy = STANDARD,
) -> None:
    """Serves the ledger of a database until SIGTERM or SIGINT, then finishes the requests that it has accepted.

    A second signal ends the process within two seconds, whatever it waits for. To be called on the main thread. Port 0
    takes a free one; `on_ready` is told the base URL once the server answers; `policy` says when webhooks are tried
    again. Raises `StoreError` where the database cannot be opened and `InvalidInput` (code ``cannot_listen``) where the
    address cannot be taken.
    """
    with listening(host, port) as listener:
        run_on(listener, database, settings, on_ready, make_app=make_app, policy=policy)


def run_on(
    listener: socket.socket,
    database: str,
    settings: Settings,
    on_ready: OnReady | None = None,
    *,
    make_app: MakeApp = create_app,
    policy: Policy = STANDARD,
    stop: Callable[[Callable[[], None]], None] | None = None,
) -> None:
    """As `run`, on a socket that is bound already. `stop` is handed what ends the server as SIGTERM does."""
    log_to_standard_error(settings.log_format)
    with contextlib.ExitStack() as opening:
        ledger = opening.enter_context(Ledger(database, settings=settings))
        server = _server(ledger, settings, listener, on_ready, make_app)
        if stop is not None:
            stop(lambda: setattr(server, "should_exit", True))
        _spare_the_collector()
        opened = opening.pop_all()
    # Signals are taken until the ledger is closed, which waits for what was taken to be stored.
    with _signals_to(server), opened, telling(ledger, policy):
        server.run(sockets=[listener])


def _spare_the_collector() -> None:
    """Lets Python's garbage collector look at less, and less often.

    What was loaded to start with stays to the end, and a request's jobs are freed by their reference counts; walking
    over both again and again took a tenth of the time of a large request.
    """
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)


@contextlib.contextmanager
def running(ledger: Ledger, settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """A server over an open ledger in a thread of this process; gives its base URL and stops it at the end."""
    ready = threading.Event()
    with listening(host, port) as listener, telling(ledger):
        server = _server(ledger, settings, listener, lambda _: ready.set())
        thread = threading.Thread(target=_run_and_tell, args=(server, listener, ready), name="tallystick-server")
        thread.start()
        try:
            ready.wait()
            if not server.started:
                raise RuntimeError("the server did not start; its log says why")
            yield base_url(listener)
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)


def _run_and_tell(server: uvicorn.Server, listener: socket.socket, ready: threading.Event) -> None:
    # uvicorn ends with SystemExit where it cannot start, once it has logged the reason.
    try:
        with contextlib.suppress(SystemExit):
            server.run(sockets=[listener])
    finally:
        ready.set()


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to an address. Raises `InvalidInput` (code ``cannot_listen``) where it cannot be taken."""
    if not 0 <= port <= _LAST_PORT:
        # Some systems would take it modulo 65536.
        raise InvalidInput.parameter("port", f"must lie between 0 and {_LAST_PORT}", code=_CODE)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidInput.parameter("host", f"{host} is no address here: {error.strerror}", code=_CODE) from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise InvalidInput.parameter("port", f"{port} at {host} cannot be taken: {error}", code=_CODE) from None
        yield listener


def base_url(listener: socket.socket) -> str:
    """The URL under which a socket's server is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ipaddress.ip_address(host).version == 6 else f"http://{host}:{port}"


def _server(
    ledger: Ledger,
    settings: Settings,
    listener: socket.socket,
    on_ready: OnReady | None,
    make_app: MakeApp = create_app,
) -> _Server:
    guard_loggers()
    # Left to uvicorn, what is no network would be taken for the name of a proxy, which never matches.
    proxies = networks_from(settings.trusted_proxies, "TALLYSTICK_TRUSTED_PROXIES")
    config = uvicorn.Config(
        make_app(ledger, settings),
        loop="uvloop",
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        interface="asgi3",
        # The edge writes its own line, without query strings and tokens.
        access_log=False,
        log_config=None,
        # Whoever is not named here could make up where a request comes from.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[str(proxy) for proxy in proxies],
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    url = base_url(listener)
    return _Server(config, on_started=lambda: on_ready(url) if on_ready else None)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it answers and takes a second signal of any kind as an order to end now."""

    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self.forced_end: threading.Timer | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Takes a signal. uvicorn's own way would raise it once more when it is done."""
        if self.should_exit and self.forced_end is None:
            self.force_exit = True
            # A thread that waits for a database which does not answer cannot be told.
            self.forced_end = threading.Timer(FORCED_SECONDS, os._exit, (FORCED_CODE,))
            self.forced_end.daemon = True
            self.forced_end.start()
        self.should_exit = True


@contextlib.contextmanager
def _signals_to(server: _Server) -> Iterator[None]:
    """Lets signals end the server and nothing more: by default they would end the process before the ledger is closed,
    with the exit code of a crash.
    """
    before = {number: signal.signal(number, server.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        if server.forced_end is not None:
            server.forced_end.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
