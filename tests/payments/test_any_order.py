"""Money and bookings come to agree, whatever happens in whatever order.

A usual run tries the same few lives each time, so that a change is judged by what it has changed.
`ANY_ORDER_EXAMPLES=500 pytest tests/payments/test_any_order.py` tries ever others, and more of them.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from typing import Any, TypeVar

import httpx
import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from booking.opened import violations
from calendars.crashing import Crash
from calendars.faltering import Fate, Worker
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres
from holdfast.payments.states import PaymentState, RefundState
from leaks.capture import RUN
from payments.agreed import check, confirmed_is_paid
from payments.counterparts import AtStripe, AtYooKassa, Counterpart
from payments.happening import OFFERINGS, SLOTS, Job, World, open_world
from payments.stripe.fake import fake_stripe
from payments.telling import opened
from payments.yookassa.fake import fake_yookassa

T = TypeVar("T")

_EXAMPLES = os.environ.get("ANY_ORDER_EXAMPLES")

numbers = st.integers(0, 11)
slots = st.integers(0, SLOTS - 1)
offerings = st.sampled_from(OFFERINGS)
# Most work is done; what falters does so at any step.
faltering = st.tuples(st.sampled_from([Fate.DIES, Fate.ENDS, Fate.STALLS]), st.integers(1, 26))
fates = st.one_of(st.just((Fate.LIVES, 0)), faltering)
shares = st.sampled_from([1, 33_333, 100_000, 500_001])
CHANGES = ("payments.create", "payments.capture", "payments.cancel", "refunds.create")
CALLS = (
    "",
    *CHANGES,
    "payments.get",
    "payments.list",
    "refunds.get",
    "refunds.list",
)
TROUBLES = (500, 502, 429, "cut")


def one_of(found: Sequence[T], number: int) -> list[T]:
    """Return one of what there is, if there is any, the latest first.

    What can be done depends on the moment at which workers were overtaken, on which no rule may depend.
    """
    return [found[-1 - number % len(found)]] if found else []


class Money(RuleBasedStateMachine):
    """Clients, staff, workers, a provider and the network, each doing what it does."""

    app_uri = ""
    admin: psycopg.Connection
    runner: asyncio.Runner
    edge: httpx.AsyncClient
    provider: Callable[[], AbstractContextManager[Counterpart]]
    counterpart: Counterpart
    world: World

    @initialize(paid=st.lists(st.tuples(offerings, slots), min_size=1, max_size=3))
    def open(self, paid: list[tuple[str, int]]) -> None:
        """Open a practice in which something was paid."""
        self.stack = AsyncExitStack()
        self.counterpart = self.stack.enter_context(self.provider())
        opening = open_world(self.app_uri, self.admin, self.counterpart, self.edge)
        self.world = self.runner.run(self.stack.enter_async_context(opening))
        for offering, slot in paid:
            self.pay_at_once(offering, slot)

    # Clients.

    @rule(offering=offerings, slot=slots, fate=fates)
    def book(self, offering: str, slot: int, fate: tuple[Fate, int]) -> None:
        """Somebody commits something, and is told how to pay."""
        booking_id = self.runner.run(self.world.book(offering, slot))
        if booking_id is not None:
            self.work(self.world.open(booking_id), fate)

    @rule(offering=offerings, slot=slots)
    def pay_at_once(self, offering: str, slot: int) -> None:
        """Somebody books and pays, and all is well."""
        self.book(offering, slot, (Fate.LIVES, 0))
        self.pay(0)
        self.all_work()

    @rule(number=numbers, fate=fates)
    def ask_how(self, number: int, fate: tuple[Fate, int]) -> None:
        """A client asks how to pay, perhaps anew."""
        for booking_id in one_of(self.world.bookings, number):
            self.work(self.world.open(booking_id), fate)

    @rule(number=numbers, fate=fates)
    def come_back(self, number: int, fate: tuple[Fate, int]) -> None:
        """A client comes back from the provider."""
        for booking_id in one_of(self.world.bookings, number):
            self.work(self.world.look(booking_id), fate)

    @rule(number=numbers)
    def pay(self, number: int) -> None:
        """A client pays."""
        for taken in one_of(self.world.remote(PaymentState.PENDING), number):
            self.counterpart.pay(taken.id)

    @rule(number=numbers, pays=st.booleans())
    def twin(self, number: int, pays: bool) -> None:
        """A call that was sent before was done a second time, since its key was forgotten; both can be paid."""
        known = (PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.SUCCEEDED)
        for taken in one_of(self.world.remote(*known), number):
            second = self.counterpart.twin(taken.id)
            if pays:
                self.counterpart.pay(second)

    @rule(number=numbers)
    def end_at_provider(self, number: int) -> None:
        """A payment comes to nothing: nobody has paid, or nobody has taken it."""
        for taken in one_of(self.world.remote(PaymentState.PENDING, PaymentState.AUTHORIZED), number):
            self.counterpart.end(taken.id)

    @rule(slot=slots)
    def take_place(self, slot: int) -> None:
        """Somebody else takes a place that is free."""
        self.runner.run(self.world.take_place(slot))

    @rule(number=numbers, offering=offerings, slot=slots)
    def reschedule(self, number: int, offering: str, slot: int) -> None:
        """A client moves a booking."""
        for booking_id in one_of(self.world.bookings, number):
            self.runner.run(self.world.reschedule(booking_id, offering, slot))

    # What seldom comes about by itself.

    @rule(offering=offerings, slot=slots, others_come=st.booleans())
    def pay_late(self, offering: str, slot: int, others_come: bool) -> None:
        """Somebody's money is taken when their time is over, and perhaps their place gone."""
        self.book(offering, slot, (Fate.LIVES, 0))
        self.pay(0)
        self.take_by_hand(0, False)
        self.end_window(0, True)
        if others_come:
            self.take_place(slot)

    @rule(offering=offerings, slot=slots, is_known=st.booleans())
    def pay_twice(self, offering: str, slot: int, is_known: bool) -> None:
        """Somebody pays twice, and both are taken."""
        self.book(offering, slot, (Fate.LIVES, 0))
        self.twin(0, True)
        if is_known:
            self.all_work()
        self.pay(0)
        for _ in range(2):
            self.take_by_hand(0, False)

    @rule(offering=offerings, slot=slots, partly=st.booleans())
    def pay_otherwise(self, offering: str, slot: int, partly: bool) -> None:
        """Somebody pays with money of the other mode, or less than they should."""
        self.book(offering, slot, (Fate.LIVES, 0))
        if not partly:
            self.alter_mode(0)
        self.pay(0)
        self.take_by_hand(0, partly)

    @rule(offering=offerings, slot=slots)
    def pay_in_vain(self, offering: str, slot: int) -> None:
        """Somebody pays, and nobody takes the money while it can be taken."""
        self.book(offering, slot, (Fate.LIVES, 0))
        self.pay(0)
        self.end_at_provider(0)

    @rule(number=numbers, state=st.sampled_from([RefundState.PENDING, RefundState.REFUSED]))
    def cancel_in_vain(self, number: int, state: RefundState) -> None:
        """Staff cancel, and the money does not go back, or not at once."""
        self.refunds_become(state)
        self.cancel(number, True, 100)
        self.all_work()
        self.refunds_become(RefundState.SUCCEEDED)

    # Staff.

    @rule(number=numbers, by_staff=st.booleans(), percent=st.sampled_from([None, 0, 33, 100]))
    def cancel(self, number: int, by_staff: bool, percent: int | None) -> None:
        """A client or staff cancel."""
        for booking_id in one_of(self.world.bookings, number):
            self.runner.run(self.world.cancel(booking_id, percent, by_staff=by_staff))

    @rule(number=numbers)
    def refund(self, number: int) -> None:
        """Staff refund."""
        for booking_id in one_of(self.world.bookings, number):
            self.runner.run(self.world.refund(booking_id))

    @rule(number=numbers, minor=shares)
    def give_goodwill(self, number: int, minor: int) -> None:
        """Staff give something back, and the booking stays as it is."""
        for payment_id in one_of(self.world.payments(), number):
            self.runner.run(self.world.give_goodwill(payment_id, minor))

    @rule(number=numbers)
    def retry(self, number: int) -> None:
        """Staff try a refund again."""
        for refund_id in one_of(self.world.refunds(RefundState.REFUSED), number):
            self.runner.run(self.world.retry(refund_id))

    @rule(number=numbers, minor=shares)
    def give_back_by_hand(self, number: int, minor: int) -> None:
        """Staff give something back at the provider itself."""
        for taken in one_of(self.world.remote(PaymentState.SUCCEEDED), number):
            pending = sum(
                back.minor
                for back in self.world.returned()
                if back.payment_id == taken.id and back.state is not RefundState.REFUSED
            )
            if left := taken.captured_minor - pending:
                self.counterpart.give_back(taken.id, min(minor, left))

    @rule(number=numbers, partly=st.booleans())
    def take_by_hand(self, number: int, partly: bool) -> None:
        """Staff take what was set aside, or a part of it, at the provider itself."""
        for taken in one_of(self.world.remote(PaymentState.AUTHORIZED), number):
            self.counterpart.take(taken.id, taken.amount_minor - partly)

    # Time.

    @rule(number=numbers, sweeps=st.booleans())
    def end_window(self, number: int, sweeps: bool) -> None:
        """Somebody's time for paying is over."""
        for booking_id in one_of(self.world.bookings, number):
            self.runner.run(self.world.end_window(booking_id))
        if sweeps:
            self.sweep()

    @rule()
    def sweep(self) -> None:
        """What was not paid in time is ended."""
        self.runner.run(self.world.sweep())

    @rule()
    def pass_time(self) -> None:
        """All waiting is over, and leases are."""
        self.world.pass_time()

    @rule()
    def jump(self) -> None:
        """A day passes, and the provider forgets our keys."""
        self.runner.run(self.world.jump())

    @rule(number=numbers, offering=offerings, slot=slots, only=st.sampled_from(CHANGES))
    def lose_an_answer(self, number: int, offering: str, slot: int, only: str) -> None:
        """An answer is lost, nobody works for a day, and the provider forgets that it was ever asked."""
        self.counterpart.faults.cut(after=True, only=only)
        if only == "payments.create":
            self.book(offering, slot, (Fate.LIVES, 0))
        elif only == "payments.capture":
            self.pay(number)
        else:
            self.cancel(number, True, 100)
        self.all_work()
        self.jump()

    # Who works.

    @rule(fate=fates)
    def settle_due(self, fate: tuple[Fate, int]) -> None:
        """A worker settles what is due, or falters."""
        self.work(self.world.settle_due, fate)

    @rule(number=numbers, first=fates, second=fates)
    def settle_together(self, number: int, first: tuple[Fate, int], second: tuple[Fate, int]) -> None:
        """Two workers look at the same payment."""
        for payment_id in one_of(self.world.payments(), number):
            self.work(self.world.settle(payment_id), first, second)

    @rule(first=fates, second=fates)
    def settle_all_together(self, first: tuple[Fate, int], second: tuple[Fate, int]) -> None:
        """Two workers settle what is due."""
        self.work(self.world.settle_due, first, second)

    @rule(first=fates, second=fates)
    def reconcile(self, first: tuple[Fate, int], second: tuple[Fate, int]) -> None:
        """Two workers compare the account, when it is its turn."""
        self.work(self.world.reconcile, first, second)

    @rule(first=fates, second=fates)
    def read_inbox(self, first: tuple[Fate, int], second: tuple[Fate, int]) -> None:
        """Two workers read what was told."""
        self.work(self.world.read_inbox, first, second)

    @rule()
    def wake(self) -> None:
        """A worker goes on who has stood still."""
        self.runner.run(self.world.wake())

    @rule()
    def all_work(self) -> None:
        """Everybody works for a while, as on most days."""
        self.world.pass_time()
        self.runner.run(self.world.all_work())

    # The provider.

    @rule(which=st.lists(numbers, min_size=1, max_size=6))
    def tell(self, which: list[int]) -> None:
        """The provider tells us something, in whatever order, as often as it likes, and late."""
        messages = self.counterpart.messages()
        told = [message for number in which for message in one_of(messages, number)]
        self.runner.run(self.world.tell(*told))

    @rule()
    def tell_all(self) -> None:
        """The provider tells us all that there ever was to tell, and the inbox is read."""
        self.runner.run(self.world.tell(*self.counterpart.messages()))
        self.work(self.world.read_inbox, (Fate.LIVES, 0))

    @rule(number=numbers)
    def lie(self, number: int) -> None:
        """Somebody tells us in the provider's name that a payment was made."""
        for taken in one_of(self.world.remote(PaymentState.PENDING), number):
            self.runner.run(self.world.tell(self.counterpart.forged(taken.id)))

    @rule(only=st.sampled_from(CALLS), what=st.sampled_from(TROUBLES), after=st.booleans(), times=st.integers(1, 2))
    def fail(self, only: str, what: int | str, after: bool, times: int) -> None:
        """The provider fails or asks for patience, before or after it has done what it was asked for, or breaks off."""
        if isinstance(what, str):
            self.counterpart.faults.cut(after=after, only=only, times=times)
        else:
            self.counterpart.faults.fail(what, after=after, only=only, times=times)

    @rule(state=st.sampled_from([RefundState.SUCCEEDED, RefundState.PENDING, RefundState.REFUSED]))
    def refunds_become(self, state: RefundState) -> None:
        """Refunds go through from now on, or take their time, or are refused."""
        self.counterpart.refunds_become(state)

    @rule(number=numbers, refused=st.booleans())
    def end_refund(self, number: int, refused: bool) -> None:
        """A refund that has taken its time goes through, or is refused."""
        pending = [back for back in self.world.returned() if back.state is RefundState.PENDING]
        for back in one_of(pending, number):
            self.counterpart.end_refund(back.id, refused=refused)

    @rule(number=numbers)
    def send_back(self, number: int) -> None:
        """A bank sends back what a client was given."""
        gone = [back for back in self.world.returned() if back.state is RefundState.SUCCEEDED]
        for back in one_of(gone, number):
            self.counterpart.send_back(back.id)

    @rule(number=numbers)
    def alter_mode(self, number: int) -> None:
        """A payment is none of play money, or the other way round."""
        for taken in one_of(self.world.remote(PaymentState.PENDING), number):
            self.counterpart.alter_mode(taken.id)

    @invariant()
    def nobody_has_a_place_for_nothing(self) -> None:
        """What takes place was paid, at any moment."""
        if hasattr(self, "world"):
            confirmed_is_paid(self.world)

    def teardown(self) -> None:
        """Let all become quiet, and look."""
        if not hasattr(self, "world"):
            return
        try:
            self.runner.run(self.world.calm_down())
            check(self.world)
        finally:
            self.counterpart.faults.clear()
            self.runner.run(self.stack.aclose())

    def work(self, job: Job, *of: tuple[Fate, int]) -> None:
        """Let workers do the same."""
        self.runner.run(self.world.work(job, *(Worker(*fate) for fate in of)))


def _unless_it_was_to_die(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what nobody has caught; whoever dies leaves behind what was begun for them."""
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


def try_lives(
    postgres: EmbeddedPostgres,
    own_database: str,
    provider: Callable[[], AbstractContextManager[Counterpart]],
    examples: int,
) -> None:
    """Try lives of a practice with a provider, and look at what is left of all of them."""
    app_uri, admin_uri = (postgres.uri(user=user, database=own_database) for user in ("holdfast_app", SUPERUSER))
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(_unless_it_was_to_die)
        stack = AsyncExitStack()
        Money.edge = runner.run(stack.enter_async_context(opened(app_uri, admin_uri))).client
        Money.app_uri, Money.runner, Money.provider = app_uri, runner, staticmethod(provider)  # type: ignore[assignment]
        Money.admin = psycopg.connect(admin_uri, autocommit=True)
        chosen = settings(
            max_examples=int(_EXAMPLES or examples),
            derandomize=_EXAMPLES is None,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A shorter one would be sought for minutes, among runs of which no two are quite the same.
            phases=[Phase.generate],
        )
        try:
            run_state_machine_as_test(Money, settings=chosen)
        finally:
            Money.admin.close()
            runner.run(stack.aclose())
    assert violations(admin_uri) == []


@contextmanager
def at_yookassa() -> Iterator[Counterpart]:
    """Run a YooKassa of its own for each life."""
    with fake_yookassa() as made:
        RUN.guard_secret(made.secret, "secret of a shop")
        yield AtYooKassa(made)


@contextmanager
def at_stripe() -> Iterator[Counterpart]:
    """Run a Stripe of its own for each life."""
    with fake_stripe() as made:
        for secret in (made.secret, *made.webhooks.secrets):
            RUN.guard_secret(secret, "secret of an account at Stripe")
        yield AtStripe(made)


def test_money_and_bookings_agree_at_yookassa(postgres: EmbeddedPostgres, own_database: str) -> None:
    """When all is quiet, what YooKassa has is what bookings cost, and nobody has paid twice or for nothing (P-1 to P-9, payments 4, 8, 10, 12, 13, 15)."""
    try_lives(postgres, own_database, at_yookassa, 12)


def test_money_and_bookings_agree_at_stripe(postgres: EmbeddedPostgres, own_database: str) -> None:
    """When all is quiet, what Stripe has is what bookings cost, and nobody has paid twice or for nothing (P-1 to P-9, payments 4, 8, 10, 12, 13, 15)."""
    try_lives(postgres, own_database, at_stripe, 6)
