"""Price plans and their versions."""

from __future__ import annotations

from typing import Any, Final

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.api import examples
from tallystick.api.bodies import DOCUMENT_BYTES, TOML, decode_json, decode_toml, media_type_of, read_body
from tallystick.api.calls import ADMINS, JSON, Answer, Body, Call, Media, json_media, read_answer, ref, route
from tallystick.api.conditional import Content, answer_read
from tallystick.api.parameters import EFFECTIVE_FROM, FROM, ONE_ACCOUNT, TO
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json
from tallystick.errors import FieldError, InvalidPlan
from tallystick.ledger import Ledger
from tallystick.model.planfiles import AGAIN
from tallystick.model.plans import parse_plan
from tallystick.model.simulation import wire_of
from tallystick.model.sourcelines import repeated_keys
from tallystick.model.wire import encode

_TAG: Final = "plans"
_PLAN: Final = {"plan": "Name of the plan, percent-encoded."}
_MEDIA: Final = (JSON, TOML)
_PLAN_BODY: Final = Body(
    description="The plan.",
    media={
        JSON: Media(schema=ref("PlanDocument"), example=examples.PLAN_DOCUMENT),
        TOML: Media(schema={"type": "string"}, example=examples.PLAN_TOML),
    },
)
_SIMULATIONS: Final = {"oneOf": [ref("Simulation"), {"type": "array", "minItems": 2, "items": ref("Simulation")}]}


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/plans": "listPlans"},
        tag=_TAG,
        summary="All price plans",
        description="Each with all its versions, the earliest first.",
        allowed=ADMINS,
        answer=read_answer("The plans.", "PlanList", examples.PLAN_LIST),
    )
)
async def list_plans(request: ApiRequest) -> Response[bytes]:
    """GET /plans."""
    return answer_read(request, Content(encode({"plans": await in_thread(request.ledger.plans.list)})))


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/plans/{plan:str}": "getPlan"},
        tag=_TAG,
        summary="One price plan",
        description="With all its versions, the earliest first.",
        allowed=ADMINS,
        path_parameters=_PLAN,
        answer=read_answer("The plan.", "PlanInfo", examples.PLAN_INFO),
        problems=(400, 404),
    )
)
async def get_plan(request: ApiRequest) -> Response[bytes]:
    """GET /plans/{plan}."""
    plan = await in_thread(request.ledger.plans.get, request.path_name("plan"))
    return answer_read(request, Content(encode(plan)))


@route(
    Call(
        method=HttpMethod.PUT,
        paths={"/plans/{plan:str}": "putPlan"},
        tag=_TAG,
        summary="Make a price plan, or a new version of it",
        description=(
            "The whole plan, as JSON or TOML. A version takes effect at the start of a month, never in a closed one. "
            "Decimals stand in quotes. `name` may be left out and must otherwise be the one in the path."
        ),
        allowed=ADMINS,
        path_parameters=_PLAN,
        parameters=(EFFECTIVE_FROM,),
        body=_PLAN_BODY,
        answer=Answer(
            status=200, description="The plan with its versions.", media=json_media("PlanInfo", examples.PLAN_INFO)
        ),
        problems=(400, 409, 413, 415),
    )
)
async def put_plan(request: ApiRequest) -> Response[bytes]:
    """PUT /plans/{plan}."""
    name = request.path_name("plan")
    media_type, body = await _read_plan(request)
    arguments = name, media_type, body, request.values.get("effective_from")
    return answer_json(await in_thread(_put_plan, request.ledger, *arguments))


async def _read_plan(request: ApiRequest) -> tuple[str, bytes]:
    media_type = media_type_of(request, _MEDIA)
    return media_type, await read_body(request, min(DOCUMENT_BYTES, request.settings.max_body_bytes))


def _document(media_type: str, body: bytes) -> dict[str, Any]:
    if media_type == TOML:
        return decode_toml(body)
    document = decode_json(body, dict[str, Any])
    if again := repeated_keys(body.decode()):
        raise InvalidPlan([FieldError(AGAIN, key=key) for key in again])
    return document


def _put_plan(ledger: Ledger, name: str, media_type: str, body: bytes, effective_from: str | None) -> Any:
    document = _document(media_type, body)
    if document.setdefault("name", name) != name:
        raise InvalidPlan([FieldError("must be the name in the path, or left out", key="name")])
    return ledger.plans.put(parse_plan(document), effective_from=effective_from)


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/plans/simulate": "simulatePlan"},
        tag=_TAG,
        summary="Try a price plan on the history",
        description=(
            "What every account, or one, would have paid if this plan had held from its first job: old and new cost "
            "and the difference, the largest first. Nothing is stored. The whole plan stands in the body, as for "
            "`PUT /plans/{plan}`. Where the accounts pay in several currencies, the answer is a list with one such "
            "object for each, and the plan's amounts are taken as amounts of that currency."
        ),
        allowed=ADMINS,
        parameters=(FROM, TO, ONE_ACCOUNT),
        body=_PLAN_BODY,
        answer=Answer(
            status=200,
            description="The simulation.",
            media={JSON: Media(schema=_SIMULATIONS, example=examples.SIMULATION)},
        ),
        problems=(400, 404, 413, 415),
    )
)
async def simulate_plan(request: ApiRequest) -> Response[bytes]:
    """POST /plans/simulate."""
    media_type, body = await _read_plan(request)
    arguments = [request.values.get(parameter.name) for parameter in (FROM, TO, ONE_ACCOUNT)]
    return answer_json(await in_thread(_simulate, request.ledger, media_type, body, *arguments))


def _simulate(ledger: Ledger, media_type: str, body: bytes, *arguments: str | None) -> Any:
    start_month, end_month, account = arguments
    plan = parse_plan({"name": "simulated", **_document(media_type, body)})
    return wire_of(ledger.plans.simulate(plan, start_month, end_month, account=account))


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (list_plans, simulate_plan, get_plan, put_plan)
