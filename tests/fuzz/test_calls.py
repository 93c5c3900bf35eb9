"""Whatever is made up from the document of the API and sent, the answer is one that the document knows (H-1)."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case

from fuzz.bounds import tried
from fuzz.calls import Fuzz

# What makes something comes before what is done with it, and what takes it away comes last.
METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
ROUNDS, EXAMPLES = 1, 2
JSON, PROBLEM = "application/json", "application/problem+json"


@pytest.mark.parametrize(
    ("status", "media_type", "body"),
    [
        (500, PROBLEM, b'{"type": "urn:holdfast:problem:internal_error"}'),
        (418, JSON, b"{}"),
        (202, JSON, b'{"status": "ok"}'),
        (200, "text/html", b"<p>ok</p>"),
        (200, JSON, b'{"status": 1}'),
        (200, JSON, b'{"status": "ok", "secret": "x"}'),
        (400, PROBLEM, b'{"code": "unheard_of"}'),
        (503, PROBLEM, b'{"code": "overloaded", "message": "busy"}'),
    ],
)
def test_what_is_wrong_is_found(fuzz: Fuzz, status: int, media_type: str, body: bytes) -> None:
    """An answer with another status, type, shape or code than those that are documented is a finding."""
    case = fuzz.operations()["GET /health"].Case()
    good = fuzz.answer(case, Random(0))
    before = dict(fuzz.findings)
    fuzz.judge(case, good)
    assert fuzz.findings == before
    fuzz.judge(case, Response(status, {"Content-Type": [media_type]}, body, good.request, 0.1, verify=True))
    found = fuzz.findings.keys() - before.keys()
    assert found
    assert all("curl" in fuzz.findings.pop(what) for what in found)


def test_every_call_has_documented_answers(fuzz: Fuzz) -> None:
    """Every call of the API, with what fits its shape and with what does not, has documented answers only, of their types and shapes (H-1)."""
    operations = sorted(fuzz.operations().items(), key=lambda named: METHODS.index(named[0].split()[0]))
    for number in range(ROUNDS):
        for label, operation in operations:
            fits, misfits = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

            @tried(EXAMPLES, of=f"{label} {number}")
            @given(case=st.one_of(fits, fits, misfits), seed=st.integers())
            def call(case: Case, seed: int) -> None:
                fuzz.judge(case, fuzz.answer(case, Random(seed)))

            call()
    assert {label for label, _ in fuzz.answers} == fuzz.operations().keys(), "each was called"
    assert fuzz.findings == {}
