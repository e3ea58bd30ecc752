"""The calls as methods, grouped by resource, once for each of the twins.

`sent` and `awaited` turn a function that gives a `Call` into a method that gives the call's result, with the same
parameters and docstring. So what a method takes and does is written once, in `tallystick.client.calls`, and the
twins differ in the sending alone.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, get_args

from tallystick.client.call import Call, Result
from tallystick.client.calls import accounts, budgets, notices, plans, quarantine, statements, tokens, usage, webhooks
from tallystick.client.calls import jobs as job_calls
from tallystick.client.unwrapping import unwrap
from tallystick.model.jobs import IngestResult, Job, LedgerJob

Parameters = ParamSpec("Parameters")
Method = TypeVar("Method", bound=Callable[..., Any])


class Send(Protocol):
    """Sends a call, again where that may help, and gives its result."""

    def __call__(self, call: Call[Result], /) -> Result: ...


class AsyncSend(Protocol):
    """`Send`, to be awaited."""

    def __call__(self, call: Call[Result], /) -> Awaitable[Result]: ...


class Stream(Protocol):
    """Sends a call, again where that may help, and gives its answer's body in chunks as they come."""

    def __call__(self, call: Call[None], /) -> Iterator[bytes]: ...


class AsyncStream(Protocol):
    """`Stream`, to be iterated asynchronously."""

    def __call__(self, call: Call[None], /) -> AsyncIterator[bytes]: ...


class Resource:
    """Some calls that belong together."""

    def __init__(self, send: Send) -> None:
        self._send: Final = send


class AsyncResource:
    """Some calls that belong together, to be awaited."""

    def __init__(self, send: AsyncSend) -> None:
        self._send: Final = send


def sent(build: Callable[Parameters, Call[Result]]) -> Callable[Concatenate[Resource, Parameters], Result]:
    """The method that sends the calls which `build` gives."""

    @functools.wraps(build)
    def method(self: Resource, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self._send(build(*args, **kwargs))

    return _described(method, build)


def awaited(
    build: Callable[Parameters, Call[Result]],
) -> Callable[Concatenate[AsyncResource, Parameters], Coroutine[Any, Any, Result]]:
    """`sent` as a coroutine."""

    @functools.wraps(build)
    async def method(self: AsyncResource, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return await self._send(build(*args, **kwargs))

    return _described(method, build)


def _described(method: Method, build: Callable[..., Any]) -> Method:
    """`method` with the signature that `help` and editors shall show: `build`'s, after `self`, with the result."""
    signature = inspect.signature(build, eval_str=True)
    (result,) = get_args(signature.return_annotation)
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    shown = signature.replace(parameters=[this, *signature.parameters.values()], return_annotation=result)
    vars(method)["__signature__"] = shown
    # Whoever documents the method must not take it for the builder of its call.
    method.__module__ = __name__
    # Without this, inspect would look behind the signature at the function that lacks `self`.
    del vars(method)["__wrapped__"]
    return method


class Usage(Resource):
    """What was used and what it costs."""

    get = sent(usage.get_usage)
    csv = sent(usage.get_usage_csv)
    explain = sent(usage.explain_usage)
    daily = sent(usage.get_daily_usage)
    forecast = sent(usage.get_forecast)
    accounts = sent(usage.get_usage_of_accounts)


class AsyncUsage(AsyncResource):
    """What was used and what it costs."""

    get = awaited(usage.get_usage)
    csv = awaited(usage.get_usage_csv)
    explain = awaited(usage.explain_usage)
    daily = awaited(usage.get_daily_usage)
    forecast = awaited(usage.get_forecast)
    accounts = awaited(usage.get_usage_of_accounts)


class Budgets(Resource):
    """What accounts and keys mean to spend in a month."""

    list = sent(budgets.list_budgets)
    set = sent(budgets.set_budget)
    remove = sent(budgets.remove_budget)


class AsyncBudgets(AsyncResource):
    """What accounts and keys mean to spend in a month."""

    list = awaited(budgets.list_budgets)
    set = awaited(budgets.set_budget)
    remove = awaited(budgets.remove_budget)


class Jobs(Resource):
    """Reporting jobs, and reading the account's ledger."""

    def __init__(self, send: Send, stream: Stream) -> None:
        super().__init__(send)
        self._stream: Final = stream

    record = sent(job_calls.record_job)
    record_lines = sent(job_calls.record_lines)
    list = sent(job_calls.list_jobs)
    lines = sent(job_calls.list_job_lines)
    void = sent(job_calls.void_job)

    def record_many(
        self, jobs: Iterable[Job | Mapping[str, Any]], *, batch_size: int = job_calls.BATCH_SIZE
    ) -> IngestResult:
        """Reports any number of jobs in batches, and gives what became of all of them.

        The iterable is read as the batches go out, so a generator over a file of any length serves; memory holds
        one batch and the rejections. A rejection's `index` is the job's place in the iterable. `batch_size` is at
        most 10,000 jobs; a batch also ends at about 4 MiB.

        Raises `InvalidInput` for a job that `record` would refuse to send, its place in the pointer
        (``/1234/completed_at``), before the batch that holds it is sent, and `RequestError` where a batch got no
        answer. The batches before are stored by then. Ids make a repeat harmless: once the cause is gone, report
        everything again.
        """
        tally = job_calls.Tally()
        for call in job_calls.record_jobs(jobs, batch_size):
            tally.add(self._send(call))
        return tally.result()

    def iter(
        self, start_month: str | None = None, end_month: str | None = None, *, account: str | None = None
    ) -> Iterator[LedgerJob]:
        """Every live job of the period in rank order, each with its rank, tier and cost.

        Read in steps as the iteration goes, each step repeated where that may help, so that memory holds some
        thousand jobs whatever the period has. Months and `account` as in `usage.get`; the costs sum to its report.
        Raises `InvalidInput` and `RequestError` as `list` does, with the first job or on the way: `ResourceConflict`
        (code ``ledger_changed``) where an earlier job came in meanwhile, so that ranks have moved: begin again.
        """
        cursor = None
        while True:
            page = self._send(job_calls.iterate_jobs(start_month, end_month, account, cursor))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    def download(
        self,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        form: str = "csv",
        account: str | None = None,
    ) -> Iterator[bytes]:
        return self._stream(job_calls.download_jobs(start_month, end_month, form=form, account=account))

    download.__doc__ = job_calls.download_jobs.__doc__


class AsyncJobs(AsyncResource):
    """Reporting jobs, and reading the account's ledger."""

    def __init__(self, send: AsyncSend, stream: AsyncStream) -> None:
        super().__init__(send)
        self._stream: Final = stream

    record = awaited(job_calls.record_job)
    record_lines = awaited(job_calls.record_lines)
    list = awaited(job_calls.list_jobs)
    lines = awaited(job_calls.list_job_lines)
    void = awaited(job_calls.void_job)

    async def record_many(
        self, jobs: Iterable[Job | Mapping[str, Any]], *, batch_size: int = job_calls.BATCH_SIZE
    ) -> IngestResult:
        tally = job_calls.Tally()
        for call in job_calls.record_jobs(jobs, batch_size):
            tally.add(await self._send(call))
        return tally.result()

    async def iter(
        self, start_month: str | None = None, end_month: str | None = None, *, account: str | None = None
    ) -> AsyncIterator[LedgerJob]:
        cursor = None
        while True:
            page = await self._send(job_calls.iterate_jobs(start_month, end_month, account, cursor))
            for job in page.jobs:
                yield job
            cursor = page.next_cursor
            if cursor is None:
                return

    def download(
        self,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        form: str = "csv",
        account: str | None = None,
    ) -> AsyncIterator[bytes]:
        return self._stream(job_calls.download_jobs(start_month, end_month, form=form, account=account))

    record_many.__doc__ = Jobs.record_many.__doc__
    download.__doc__ = Jobs.download.__doc__


# Within the class `iter` would be Python's own.
AsyncJobs.iter.__doc__ = Jobs.iter.__doc__


class Statements(Resource):
    """Statements of closed months."""

    list = sent(statements.list_statements)
    get = sent(statements.get_statement)
    signing_keys = sent(statements.list_signing_keys)


class AsyncStatements(AsyncResource):
    """Statements of closed months."""

    list = awaited(statements.list_statements)
    get = awaited(statements.get_statement)
    signing_keys = awaited(statements.list_signing_keys)


class Accounts(Resource):
    """Accounts and their API keys; for admin tokens."""

    create = sent(accounts.create_account)
    list = sent(accounts.list_accounts)
    change = sent(accounts.change_account)
    create_key = sent(accounts.create_key)
    keys = sent(accounts.list_keys)
    revoke_key = sent(accounts.revoke_key)


class AsyncAccounts(AsyncResource):
    """Accounts and their API keys; for admin tokens."""

    create = awaited(accounts.create_account)
    list = awaited(accounts.list_accounts)
    change = awaited(accounts.change_account)
    create_key = awaited(accounts.create_key)
    keys = awaited(accounts.list_keys)
    revoke_key = awaited(accounts.revoke_key)


class Tokens(Resource):
    """Access tokens; for admin tokens."""

    create = sent(tokens.create_token)
    list = sent(tokens.list_tokens)
    revoke = sent(tokens.revoke_token)
    rotate = sent(tokens.rotate_token)


class AsyncTokens(AsyncResource):
    """Access tokens; for admin tokens."""

    create = awaited(tokens.create_token)
    list = awaited(tokens.list_tokens)
    revoke = awaited(tokens.revoke_token)
    rotate = awaited(tokens.rotate_token)


class Plans(Resource):
    """Price plans; for admin tokens."""

    list = sent(plans.list_plans)
    put = sent(plans.put_plan)
    simulate = sent(plans.simulate_plan)


class AsyncPlans(AsyncResource):
    """Price plans; for admin tokens."""

    list = awaited(plans.list_plans)
    put = awaited(plans.put_plan)
    simulate = awaited(plans.simulate_plan)


class Quarantine(Resource):
    """Rejected jobs; for admin tokens."""

    list = sent(quarantine.list_quarantine)
    replay = sent(quarantine.replay_quarantine)


class AsyncQuarantine(AsyncResource):
    """Rejected jobs; for admin tokens."""

    list = awaited(quarantine.list_quarantine)
    replay = awaited(quarantine.replay_quarantine)


class Notices(Resource):
    """What an account or the provider should hear of."""

    list = sent(notices.list_notices)


class AsyncNotices(AsyncResource):
    """What an account or the provider should hear of."""

    list = awaited(notices.list_notices)


class Webhooks(Resource):
    """Where notices are sent, and what was sent there."""

    create = sent(webhooks.create_webhook)
    list = sent(webhooks.list_webhooks)
    get = sent(webhooks.get_webhook)
    change = sent(webhooks.change_webhook)
    remove = sent(webhooks.remove_webhook)
    rotate = sent(webhooks.rotate_webhook)
    test = sent(webhooks.send_test)
    deliveries = sent(webhooks.list_deliveries)
    delivery = sent(webhooks.get_delivery)
    replay = sent(webhooks.replay_delivery)
    replay_missed = sent(webhooks.replay_missed)
    unwrap = staticmethod(unwrap)


class AsyncWebhooks(AsyncResource):
    """Where notices are sent, and what was sent there."""

    create = awaited(webhooks.create_webhook)
    list = awaited(webhooks.list_webhooks)
    get = awaited(webhooks.get_webhook)
    change = awaited(webhooks.change_webhook)
    remove = awaited(webhooks.remove_webhook)
    rotate = awaited(webhooks.rotate_webhook)
    test = awaited(webhooks.send_test)
    deliveries = awaited(webhooks.list_deliveries)
    delivery = awaited(webhooks.get_delivery)
    replay = awaited(webhooks.replay_delivery)
    replay_missed = awaited(webhooks.replay_missed)
    unwrap = staticmethod(unwrap)
