"""The OpenAPI document: valid, complete, and true of what the server answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from litestar import Litestar
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tallystick.api.app import ROUTES, create_app
from tallystick.api.calls import METRICS, OPTION, PUBLIC
from tallystick.api.examples import JOB_LINES, PLAN_TOML, USAGE_REPORT
from tallystick.model.plans import parse_plan, parse_plan_toml
from tallystick.model.wire import encode
from tests.api.service import JANUARY_REPORT, LINES, Service
from tests.api.test_routes import CASES

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}


@pytest.fixture(scope="module")
def document(shared: Service) -> dict[str, Any]:
    response = shared.call("GET", "/openapi.json")
    assert response.headers["content-type"] == "application/json"
    parsed: dict[str, Any] = response.json()
    return parsed


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, entry in document["paths"].items():
        for method, operation in entry.items():
            assert method in METHODS
            yield path, method, operation


def resolved(document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry stands for, where it is a reference."""
    while "$ref" in entry:
        found: Any = document
        for part in entry["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        entry = found
    return entry


def mismatches(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """Why a value does not fit a schema of the document."""
    whole = {**schema, "components": document["components"]}
    return [
        error.message
        for error in OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER).iter_errors(value)
    ]


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_it_has_exactly_the_routes_of_the_application(shared: Service, document: dict[str, Any]) -> None:
    app: Litestar = create_app(shared.ledger, shared.ledger.settings).app
    served = {
        (route.path_format, method.lower())
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    assert {(path, method) for path, method, _ in operations(document)} == served


def test_every_operation_has_its_own_id_and_is_described(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(CASES)
    tags = {tag["name"] for tag in document["tags"]}
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert len(operation["description"]) > 10
        assert set(operation["tags"]) <= tags
        for parameter in operation["parameters"]:
            assert parameter["description"]
            assert parameter["schema"]["type"]


def test_every_operation_names_the_token_that_it_needs(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == "X-Api-Key"
    allowed = {name: route.opt[OPTION].allowed for route in ROUTES for name in route.opt[OPTION].paths.values()}
    for _, _, operation in operations(document):
        scopes = allowed[operation["operationId"]]
        tokens: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
        assert operation["security"] == {PUBLIC: [], METRICS: [{}, *tokens]}.get(scopes, tokens)
        assert isinstance(scopes, str) or all(scope in operation["description"] for scope in scopes)


def test_every_error_answer_is_a_problem_document(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        statuses = set(operation["responses"])
        assert {"400", "500", "503"} <= statuses
        assert not operation["security"] or {"401", "403"} <= statuses
        assert "requestBody" not in operation or {"413", "415"} <= statuses, path
        for status, given in operation["responses"].items():
            response = resolved(document, given)
            assert response["description"], (path, method, status)
            assert "X-Request-Id" in response["headers"]
            if int(status) >= 400:
                assert response["content"]["application/problem+json"]["schema"] == {
                    "$ref": "#/components/schemas/Problem"
                }


def media(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, _, operation in operations(document):
        for content in [operation.get("requestBody", {}).get("content", {})] + [
            resolved(document, response).get("content", {}) for response in operation["responses"].values()
        ]:
            for name, one in content.items():
                yield f"{operation['operationId']} {name}", one


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    seen = 0
    for name, one in media(document):
        if "example" in one:
            assert mismatches(document, one["schema"], one["example"]) == [], name
            seen += 1
    assert seen > 40


def test_every_json_body_and_answer_has_an_example(document: dict[str, Any]) -> None:
    without = {name for name, one in media(document) if name.endswith(" application/json") and "example" not in one}
    assert without == {"getOpenApi application/json"}


def test_parameters_have_examples_that_fit(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        for parameter in operation["parameters"]:
            if "example" in parameter:
                assert mismatches(document, parameter["schema"], parameter["example"]) == []


def test_a_schema_refuses_what_it_should(document: dict[str, Any]) -> None:
    job = {"$ref": "#/components/schemas/Job"}
    good = json.loads(JOB_LINES.splitlines()[0])
    assert mismatches(document, job, good) == []
    assert mismatches(document, job, {**good, "tokens": {"transcription": -1}})
    assert mismatches(document, job, {**good, "completed_at": "yesterday"})
    assert mismatches(document, job, {**good, "surprise": 1})
    problem = {"$ref": "#/components/schemas/Problem"}
    assert mismatches(document, problem, {"status": 400})


@pytest.mark.parametrize("operation", CASES)
def test_what_the_server_answers_fits_what_the_document_says(
    shared: Service, document: dict[str, Any], operation: str
) -> None:
    (described,) = [each for _, _, each in operations(document) if each["operationId"] == operation]
    response = CASES[operation][1](shared)
    answer = described["responses"][str(response.status_code)]
    assert set(answer["headers"]) <= {name.title().replace("Etag", "ETag") for name in response.headers}
    content = answer.get("content", {})
    if not content:
        assert response.content == b""
        return
    kind = response.headers["content-type"].partition(";")[0]
    assert kind in content
    if kind == "application/json":
        assert mismatches(document, content[kind]["schema"], response.json()) == []


@pytest.mark.parametrize(
    ("path", "status"), [("/usage", 401), ("/usage?x=y", 400), ("/plans/x", 404), ("/accounts/%FF", 400)]
)
def test_problem_documents_fit_their_schema(shared: Service, document: dict[str, Any], path: str, status: int) -> None:
    token = None if status == 401 else shared.token("admin")
    response = shared.call("GET", path, token=token)
    assert response.status_code == status
    assert mismatches(document, {"$ref": "#/components/schemas/Problem"}, response.json()) == []


def test_the_example_of_the_report_is_the_contracts_january(document: dict[str, Any]) -> None:
    assert encode(USAGE_REPORT, indent=2).decode() == JANUARY_REPORT.rstrip("\n")
    shown = document["paths"]["/usage"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert list(shown) == list(json.loads(JANUARY_REPORT, parse_float=Decimal))


def test_the_examples_of_bodies_are_taken_by_the_server(fresh: Service, document: dict[str, Any]) -> None:
    body = document["paths"]["/jobs"]["post"]["requestBody"]["content"]
    assert set(body) == {
        "application/json",
        LINES,
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
    }
    assert fresh.post_jobs(body["application/json"]["example"]).json()["accepted"] == 2
    assert fresh.post_jobs(body[LINES]["example"].encode(), kind=LINES).json()["rejected"][0]["code"] == "conflict"
    plans = document["paths"]["/plans/{plan}"]["put"]["requestBody"]["content"]
    assert parse_plan(plans["application/json"]["example"]).to_document() == plans["application/json"]["example"]
    assert parse_plan_toml(PLAN_TOML).currency == "USD"
