"""A pharmacy that is paid by shown codes: ``locust -f loadtests/locustfile.py`` against a running sandbox.

``ENGINE_DATA_DIR`` names the sandbox's data folder (``./.engine`` if it is not set); its `sandbox.json` says where the
sandbox is, who calls, and whose cards there are.
"""

import itertools
import os
import random
from pathlib import Path

from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment

from engine.client import bill_request
from engine.sandbox.draws import Draws
from engine.sandbox.guide import SandboxGuide, read_guide
from engine.sandbox.medical_bills import cut_to, sample_bill
from loadtests.signing import Phones, SignedCalls

DATA_DIR = Path(os.environ.get("ENGINE_DATA_DIR", ".engine"))
BILL_FEN_MAX = 30_000
_orders = itertools.count()


def _find_sandbox(environment: Environment, **_: object) -> None:
    """Every user shares one guide."""
    guide = read_guide(DATA_DIR)
    if guide is None:
        raise SystemExit(
            f"No sandbox.json in {DATA_DIR}: start one with engine serve --sandbox, or set ENGINE_DATA_DIR"
        )
    PharmacyUser.guide = guide
    PharmacyUser.phones = Phones(guide.cards)
    if not environment.host:
        environment.host = guide.base_url


events.init.add_listener(_find_sandbox)  # type: ignore[no-untyped-call]  # locust has no types here


class PharmacyUser(FastHttpUser):
    """A till of a pharmacy: a cardholder shows a code, the bill is paid at once."""

    wait_time = constant_throughput(5)
    guide: SandboxGuide
    phones: Phones

    def on_start(self) -> None:
        """Take a till of one of the pharmacies."""
        pharmacies = [caller for caller in self.guide.callers if caller.name.startswith("pharmacy-")]
        self.calls = SignedCalls(random.choice(pharmacies[:-1]))
        self.run_id = f"L{os.getpid()}-{id(self)}"

    @task(3)
    def pay_a_bill(self) -> None:
        """Pay for a few lines, of which the fund pays its part."""
        number = next(_orders)
        bill = cut_to(sample_bill(Draws(os.getpid(), number), "pharmacy"), BILL_FEN_MAX)
        if bill.lines:
            amount = sum(line.amount for line in bill.lines)
            self._pay(number, amount, name="POST /v1/payments with a bill", bill=bill_request(bill))

    @task(1)
    def pay_an_amount(self) -> None:
        """Pay for something that the insurance does not."""
        self._pay(next(_orders), random.randint(300, 12_000), name="POST /v1/payments")

    def _pay(self, number: int, amount: int, *, name: str, **more: object) -> None:
        """Pay; only a refusal for want of money is part of the game."""
        order_no = f"{self.run_id}-{number}"
        headers, body = self.calls.post(
            "/v1/payments",
            {
                "pay_code": self.phones.next_code(),
                "order_no": order_no,
                "amount": amount,
                "scenario": "pharmacy",
                "terminal_id": self.calls.terminal_id,
                **more,
            },
            key=order_no,
        )
        with self.client.post(
            "/v1/payments", data=body.decode(), headers=headers, name=name, catch_response=True
        ) as response:
            if response.status_code == 402:
                response.success()
