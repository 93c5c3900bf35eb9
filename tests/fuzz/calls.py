"""Calls made up from the document of the API and sent to a server; what is wrong with an answer is a finding."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import requests
import schemathesis
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case

from booking.documented import check_answer
from fuzz.aiming import Aim
from fuzz.known import Json, Known

checks.load_all_checks()
# Beside what every test of HTTP asks of an answer: see `check_answer`.
JUDGES = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.missing_required_header,
    checks.use_after_free,
]
_PARAMETER = re.compile(r"\{\w+\}")
# Refusals for the time being. Nobody else is there, so it is not the others who are in the way.
_NEVER = {"overloaded", "outcome_unknown"}


class Fuzz:
    """A served application, those who call it, and what was found so far: what is wrong, and with which call."""

    def __init__(self, url: str, sign_in: Callable[[], dict[str, str]], key: dict[str, str], business: str) -> None:
        self.url, self.business = url, business
        self.document: Json = httpx.get(f"{url}/schema/openapi.json").json()
        self.schema = schemathesis.openapi.from_dict(self.document)
        self.known = Known(list(self.document["paths"]))
        self.findings: dict[str, str] = {}
        # How often each operation was answered with each status.
        self.answers: dict[tuple[str, int], int] = {}
        self._aim = Aim(self.known, self.document["components"]["schemas"])
        self._connection = requests.Session()
        self._key, self._sign_in, self._login = key, sign_in, sign_in()
        self._look_around()

    def close(self) -> None:
        """Call no more."""
        self._connection.close()

    def operations(self) -> dict[str, Any]:
        """Return what can be called, by method and path."""
        return {found.ok().label: found.ok() for found in self.schema.get_all_operations()}

    def answer(self, case: Case, chance: Random, *, linked: bool = False) -> Response:
        """Return the answer to a call, with what is known in the place of some of what was made up.

        Where the call takes up an earlier answer, its address stays as that has it.
        """
        self._aim.at(case, chance, linked=linked)
        headers = self._proof(case, chance)
        return case.call(base_url=self.url, session=self._connection, headers=headers, timeout=60)

    def judge(self, case: Case, answer: Response, recorder: ScenarioRecorder | None = None) -> None:
        """Learn from an answer, and keep what is wrong with it; in a chain also by what was answered before."""
        label, status = case.operation.label, answer.status_code
        self.answers[label, status] = self.answers.get((label, status), 0) + 1
        found: list[str] = []
        try:
            sent = {"base_url": self.url}
            case.validate_response(answer, checks=list(JUDGES), transport_kwargs=sent, recorder=recorder)
        except FailureGroup as wrong:
            found += [str(failure) for failure in wrong.exceptions]
        try:
            told = _of_httpx(case, answer)
            check_answer(self.document, told)
            assert status != 503 or told.json()["code"] not in _NEVER, told.text
        except (AssertionError, KeyError, ValueError) as wrong:
            found.append(str(wrong) or f"Its shape is another one than documented\n{answer.text_lossy()[:500]}")
        for what in found:
            call = case.as_curl_command(dict(answer.request.headers), base_url=self.url)
            self.findings.setdefault(f"{label} {status}: {what.splitlines()[0]}", f"{what}\n{call}")
        if status < 300 and case.path.startswith("/api/"):
            if answer.content:
                self.known.learn(case.path, answer.json())
            if isinstance(case.body, dict):
                self.known.taken[label].append(case.body)
        if status == 401 and self._login == {name: answer.request.headers.get(name) for name in self._login}:
            # It was signed out, or its password was changed.
            self._login = self._sign_in()

    def _proof(self, case: Case, chance: Random) -> dict[str, str]:
        """Return the headers by which whoever calls is known, one of those that the document asks for; sometimes none."""
        schemes = {name for each in case.operation.definition.raw.get("security", []) for name in each}
        token = next((name for name in ("Booking-Token", "Question-Token") if name.replace("-", "") in schemes), None)
        if chance.randrange(25) == 0:
            return {}
        if token is not None and chance.randrange(2) == 0:
            thing = self.known.thing(next(iter((case.path_parameters or {}).values()), None))
            known = thing.get("cancellationToken") or thing.get("token") or self.known.of("cancellationToken", chance)
            return {} if known is None else {token: known}
        if schemes == {"StaffLogin"} or ("StaffLogin" in schemes and chance.randrange(3) == 0):
            return self._login
        return self._key if "StaffKey" in schemes else {}

    def note(self, method: str, path: str, body: Json) -> None:
        """Keep a body that was taken; later ones begin with it."""
        labels = [
            f"{method} {template}"
            for template, operations in self.document["paths"].items()
            if method.lower() in operations and re.fullmatch(_PARAMETER.sub("[^/]+", template), path.partition("?")[0])
        ]
        # An address without a parameter is meant before one with it.
        for label in sorted(labels)[:1]:
            self.known.taken[label].append(body)

    def _look_around(self) -> None:
        """Learn what there is to aim at: what staff and clients see when they begin."""
        today = datetime.now(UTC).date()
        days = {"from": str(today), "to": str(today + timedelta(days=7))}
        self.known.learn(
            "", {"business": self.business, "tz": "Asia/Tokyo", "timezone": "Asia/Tokyo", "limit": 5} | days
        )
        for path, operations in self.document["paths"].items():
            if "get" in operations and "{" not in path and path.startswith(("/api/admin", "/api/booking")):
                answer = httpx.get(self.url + path, headers=self._key)
                if answer.is_success:
                    self.known.learn(path, answer.json())
        card = httpx.get(f"{self.url}/api/public/businesses/{self.business}").json()
        self.known.learn("", {"businessId": card["id"]} | card)
        self.known.learn("businesses", {"slug": self.business})
        for service in card["services"]:
            query = {"service_slug": service["slug"], "business": self.business}
            self.known.learn("", {"serviceSlug": service["slug"]})
            days = httpx.get(f"{self.url}/api/public/booking/slots", params=query).json()["days"]
            self.known.wishes += [
                {"serviceId": service["id"], "slotStart": slot["start"], "slotEnd": slot["end"]}
                for day in days
                for slot in day["slots"][-3:]
            ][-8:]
        for program in card["programs"]:
            path = f"/api/public/programs/{program['slug']}/schedules?business={self.business}"
            found = httpx.get(self.url + path).json()["schedules"]
            self.known.learn("", {"schedules": found})
            self.known.wishes += [{"scheduleId": schedule["id"]} for schedule in found[:4]]


def _of_httpx(case: Case, answer: Response) -> httpx.Response:
    """Return an answer as those know it who judge the answers of all tests."""
    headers = [(name, value) for name, values in answer.headers.items() for value in values]
    kept = [(name, value) for name, value in headers if name not in {"content-encoding", "transfer-encoding"}]
    request = httpx.Request(case.method, str(answer.request.url))
    return httpx.Response(answer.status_code, headers=kept, content=answer.content, request=request)
