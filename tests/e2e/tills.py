"""Tills that pay by shown codes and remember what they were told."""

import base64
import itertools

import aiohttp

from engine.client import Credentials, EngineClient, Refused, Unreachable
from engine.codes.pay_code import pay_code_at
from engine.flows.clock import Clock
from engine.sandbox.guide import SandboxGuide

HOSPITALS = 6


class Day:
    """What the tills asked for, and what they were told."""

    def __init__(self, guide: SandboxGuide, seed: int) -> None:
        """Tills of some hospitals, cards that can pay."""
        self._cards = [(int(card.device_no), base64.b64decode(card.totp_key)) for card in guide.cards[:5_000]]
        self._turn = itertools.count(seed % 5_000)
        self._clock = Clock()
        self._orders = itertools.count()
        self.run = f"K{seed}"
        self.acknowledged: dict[str, str] = {}  # order number -> payment id
        self.refused: set[str] = set()
        self.asked: set[str] = set()

    @property
    def answered(self) -> int:
        """How many orders have their answer."""
        return len(self.acknowledged) + len(self.refused)

    def code(self) -> str:
        """A code that nobody else gets."""
        turn = next(self._turn)
        device_no, key = self._cards[turn % len(self._cards)]
        return pay_code_at(key, device_no, turn // len(self._cards) % 10, self._clock.business_s())

    def order_no(self) -> str:
        """A new order number."""
        order_no = f"{self.run}-{next(self._orders)}"
        self.asked.add(order_no)
        return order_no

    async def is_answered(self, guide: SandboxGuide, till: int, order_no: str, code: str) -> bool:
        """Ask once. A refusal is an answer; only the two that such a day can bring are expected."""
        refusal = None
        try:
            self.acknowledged[order_no] = await _pay(guide, hospital(till), order_no, code)
        except Refused as refused:
            refusal = refused.problem.code
            self.refused.add(order_no)
        except Unreachable:
            return False
        assert refusal in (None, "insufficient-funds", "pay-code-expired")
        return True

    async def captured(self, guide: SandboxGuide) -> dict[str, list[str]]:
        """The captured payments of this day that the engine has, by order number."""
        found: dict[str, list[str]] = {}
        async with aiohttp.ClientSession() as session:
            for number in range(HOSPITALS):
                client = EngineClient(guide.base_url, _credentials(guide, hospital(number)), session=session)
                cursor: dict[str, str] = {}
                while True:
                    page = await client.payments(limit="200", status="captured", **cursor)
                    for payment in page.items:
                        found.setdefault(payment.order_no, []).append(payment.id)
                    if page.next_cursor is None:
                        break
                    cursor = {"cursor": page.next_cursor}
        return {order_no: ids for order_no, ids in found.items() if order_no.startswith(f"{self.run}-")}


def hospital(till: int) -> str:
    """The hospital of a till."""
    return f"hospital-{till % HOSPITALS + 1:02d}"


def _credentials(guide: SandboxGuide, name: str) -> Credentials:
    caller = guide.caller(name)
    return Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)


async def _pay(guide: SandboxGuide, name: str, order_no: str, code: str) -> str:
    async with EngineClient(guide.base_url, _credentials(guide, name)) as client:
        payment = await client.pay(
            pay_code=code,
            order_no=order_no,
            amount=100,
            scenario="outpatient",
            terminal_id=(guide.caller(name).terminals or ("",))[0],
            key=order_no,
        )
    return payment.id
