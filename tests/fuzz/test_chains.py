"""Calls in chains, as the links of the document lead from one to the next (H-1)."""

from contextlib import suppress
from random import Random
from typing import Any

import hypothesis
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.generation.stateful.state_machine import StepInput, StepOutput

from fuzz.bounds import TIMES, number_of, settings
from fuzz.calls import Fuzz

CHAINS = 8
# The first one of a run is the simplest that there is.
_ONE = hypothesis.settings(settings(1), max_examples=2)


def test_what_was_made_is_gone_on_with(fuzz: Fuzz) -> None:
    """Along links, as from a reservation to its release, there are documented answers only, and what was removed is gone (H-1)."""
    chance = Random(number_of("chains"))
    followed: set[str] = set()

    class Chain(fuzz.schema.as_state_machine()):  # type: ignore[misc]
        """Calls, of which each may take up what an earlier one was told."""

        def step(self, input: StepInput) -> StepOutput:  # noqa: A002 - its name
            if input.transition is not None and input.is_applied:
                followed.add(input.transition.id)
            return super().step(input)  # type: ignore[no-any-return]

        def call(self, case: Case, **_: Any) -> Response:
            return fuzz.answer(case, chance, linked=True)

        def validate_response(self, response: Response, case: Case, *_: Any, **__: Any) -> None:
            fuzz.judge(case, response, self.recorder)

    for number in range(CHAINS * TIMES):
        # Each begins anew: what can come next hangs on answers, which are never the same twice.
        chain = hypothesis.seed(number_of(f"chain {number}"))(type("Chain", (Chain,), {}))
        with suppress(Flaky):
            run_state_machine_as_test(chain, settings=_ONE)
    assert followed
    assert fuzz.findings == {}
