"""The request as pages see it: who looks, at which account, with what in the URL, and how to link from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from litestar import Request
from litestar.datastructures import State

from tallystick.errors import InvalidInput
from tallystick.ledger import Ledger, Session
from tallystick.model.tokens import Scope
from tallystick.settings import Settings

PREFIX: Final = "/dashboard"
_PAGE: Final = "page"
_MOST_PARAMETERS: Final = 50


class PageRequest(Request[Any, Session | None, State]):
    """A request that has passed the door; `auth` is its session, `None` where nobody is signed in."""

    @property
    def ledger(self) -> Ledger:
        ledger: Ledger = self.app.state.ledger
        return ledger

    @property
    def settings(self) -> Settings:
        settings: Settings = self.app.state.settings
        return settings

    @property
    def id(self) -> str:
        """The request's name in the log."""
        request_id: str = self.scope["state"].get("request_id", "")
        return request_id

    @property
    def session_now(self) -> Session | None:
        """The session, also where the door was not reached; `None` where nobody is signed in."""
        session: Session | None = self.scope.get("auth")
        return session

    @property
    def is_provider(self) -> bool:
        """Whether the provider looks, who sees every account."""
        return self.session_now is not None and self.session_now.authority.scope is Scope.ADMIN

    @property
    def may_manage(self) -> bool:
        """Whether whoever looks may change what belongs to the account, such as its budgets."""
        return self.session_now is not None and self.session_now.authority.scope in (Scope.MANAGE, Scope.ADMIN)

    @property
    def own_account(self) -> str | None:
        """The account of a customer's session; `None` for the provider, and where nobody is signed in."""
        return None if self.session_now is None else self.session_now.authority.account

    @property
    def account(self) -> str:
        """The account that the page is about: the customer's own, or for the provider the one in the path."""
        own = self.own_account
        return self.path_name("account") if own is None else own

    @property
    def account_base(self) -> str:
        """Where the pages of the account begin, below the prefix; empty for a customer's own."""
        return "" if self.own_account is not None else f"/accounts/{quote(self.path_name('account'), safe='')}"

    def path_name(self, parameter: str) -> str:
        """The name that stands in the path, percent-encoded. Raises `InvalidInput` where it is not UTF-8."""
        try:
            return unquote(self.path_params[parameter], errors="strict")
        except UnicodeDecodeError:
            raise InvalidInput.parameter(parameter, "is not UTF-8, percent-encoded", code="invalid_path") from None

    @property
    def values(self) -> dict[str, str]:
        """The query's parameters, the first of each name, without empty ones. Raises `InvalidInput`."""
        try:
            pairs = parse_qsl(
                self.scope["query_string"].decode("ascii"), errors="strict", max_num_fields=_MOST_PARAMETERS
            )
        except ValueError:
            raise InvalidInput("The address cannot be read.", code="invalid_parameter") from None
        values: dict[str, str] = {}
        for name, value in pairs:
            values.setdefault(name, value)
        return values

    def link(self, path: str = "", query: Mapping[str, str | None] | None = None) -> str:
        """A link to a page below the prefix, wherever the application is mounted."""
        given = {name: value for name, value in (query or {}).items() if value}
        return f"{self.scope.get('root_path', '')}{PREFIX}{path}" + (f"?{urlencode(given)}" if given else "")

    @property
    def api_address(self) -> str:
        """Where the API answers, as whoever looks reaches it."""
        return f"{self.url.scheme}://{self.url.netloc}{self.scope.get('root_path', '')}"

    def link_here(self, **changes: str | None) -> str:
        """A link to this page with some of the query changed; `None` leaves a parameter out."""
        return self.link(self.path_below, {**self.values, **changes})

    @property
    def path_below(self) -> str:
        """The page's path below the prefix."""
        if _PAGE in self.scope["state"]:
            stood_for: str = self.scope["state"][_PAGE]
            return stood_for
        path: str = self.scope["path"]
        return path.removeprefix(self.scope.get("root_path", "")).removeprefix(PREFIX)

    def stand_for(self, path: str) -> None:
        """From here on links lead as from the page at that path: the answer to a form shows its page again."""
        self.scope["state"][_PAGE] = path
