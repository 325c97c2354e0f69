"""Requests for `engine bench http`, made and signed before the clock starts.

Each is a payment by a shown code of the sample city: another code, order, key and nonce each time. A code is of the
30-second step in which it is made and good for that step and the next, and a card has ten in a step; when those are
used up, making more waits for the next step. Cards and amounts are such that nobody runs out of money.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.codes.pay_code import REFRESH_MAX, STEP_S, pay_code_at, step_at
from engine.core.ids import device_serial
from engine.core.payer import CardStatus, IssueLevel, TenderOrder
from engine.flows.clock import Clock, IdSource
from engine.sandbox.city import SampleCity
from engine.sandbox.guide import SandboxGuide
from engine.sandbox.people import Cardholder

TARGET: Final = "/v1/payments"
SPENDABLE_FEN_MIN: Final = 100_000
AMOUNT_FEN_MIN: Final = 100
AMOUNT_FEN_MAX: Final = 599
PAYMENTS_PER_CARD_MAX: Final = SPENDABLE_FEN_MIN // AMOUNT_FEN_MAX
CODES_PER_STEP: Final = REFRESH_MAX + 1

encode_json: Final = msgspec.json.Encoder().encode


class CardsUsedUp(Exception):
    """More payments were asked for than the cards have money for: ask for shorter runs."""


class Phone(msgspec.Struct, frozen=True):
    """What shows a card's codes."""

    device_no: int
    key: bytes


class Till(msgspec.Struct, frozen=True, kw_only=True):
    """Where a merchant scans."""

    credentials: Credentials
    terminal_id: str
    scenario: str


def phones_of(guide: SandboxGuide, city: SampleCity) -> tuple[Phone, ...]:
    """The phones of everybody who can spend enough for a whole benchmark. Needs the cards of all of *city*'s people."""
    by_index = {device_serial(int(card.device_no)): card for card in guide.cards}
    return tuple(
        Phone(int(by_index[holder.index].device_no), base64.b64decode(by_index[holder.index].totp_key))
        for holder in city.cardholders(len(guide.cards))
        if _can_spend(holder)
    )


def tills_of(guide: SandboxGuide, city: SampleCity) -> tuple[Till, ...]:
    """One till of every merchant that may take payments; the first one is a hospital's."""
    tills = []
    for merchant in city.merchants:
        caller = guide.caller(merchant.slug)
        if not merchant.is_suspended:
            credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
            till = Till(credentials=credentials, terminal_id=merchant.terminals[0], scenario=merchant.scenarios[0])
            tills.append(till)
    return tuple(tills)


class SignedPayments:
    """Makes requests; the card, the code, the order and the key never come twice."""

    def __init__(self, phones: Sequence[Phone], tills: Sequence[Till], clock: Clock, ids: IdSource) -> None:
        """Nothing has been made yet."""
        self._phones = phones
        self._tills = tills
        self._clock = clock
        self._ids = ids
        self._run = f"B{int(clock.wall_s()):x}"
        self._made = 0
        self._step = 0
        self._made_in_step = 0

    @property
    def step_capacity(self) -> int:
        """How many codes there are in one step."""
        return len(self._phones) * CODES_PER_STEP

    async def make(self, count: int, *, is_hot: bool = False) -> list[bytes]:
        """*count* requests (or a step's worth, if that is less), evenly over the merchants.

        Hot: every second one goes to the first merchant, the others evenly to the rest.

        Raises:
            CardsUsedUp: the cards would have to pay more often than they have money for.
        """
        count = min(count, self.step_capacity)
        if self._made + count > len(self._phones) * PAYMENTS_PER_CARD_MAX:
            raise CardsUsedUp(f"the city's cards have money for {self._made:,} payments and no {count:,} more")
        await self._find_step(count)
        return [self._request(is_hot=is_hot) for _ in range(count)]

    async def _find_step(self, count: int) -> None:
        now_s = self._clock.wall_s()
        if step_at(now_s) == self._step and self._made_in_step + count > self.step_capacity:
            await asyncio.sleep((self._step + 1) * STEP_S - now_s)
            now_s = max(self._clock.wall_s(), (self._step + 1) * STEP_S)  # timers may come a moment early
        if step_at(now_s) != self._step:
            self._step = step_at(now_s)
            self._made_in_step = 0

    def _request(self, *, is_hot: bool) -> bytes:
        refresh, phone_no = divmod(self._made_in_step, len(self._phones))
        phone = self._phones[phone_no]
        turn = self._made
        self._made_in_step += 1
        self._made += 1
        till = self._till(turn, is_hot=is_hot)
        order_no = f"{self._run}-{turn}"
        body = {
            "pay_code": pay_code_at(phone.key, phone.device_no, refresh, self._step * STEP_S),
            "order_no": order_no,
            "amount": AMOUNT_FEN_MIN + turn % (AMOUNT_FEN_MAX - AMOUNT_FEN_MIN + 1),
            "scenario": till.scenario,
            "terminal_id": till.terminal_id,
        }
        return self._signed(till, encode_json(body), key=f"{order_no}-pay")

    def _till(self, turn: int, *, is_hot: bool) -> Till:
        if not is_hot:
            return self._tills[turn % len(self._tills)]
        return self._tills[0] if turn % 2 == 0 else self._tills[1 + turn // 2 % (len(self._tills) - 1)]

    def _signed(self, till: Till, body: bytes, *, key: str) -> bytes:
        covered = CoveredRequest(
            method="POST", target=TARGET, content_digest=content_digest(body), idempotency_key=f'"{key}"'
        )
        credentials = till.credentials
        signed = sign(
            covered,
            credentials.key,
            keyid=credentials.keyid,
            created=int(self._clock.wall_s()),
            nonce=self._ids.trace_id(),
        )
        return written_request(TARGET, signed, body)


def written_request(target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    head = {"Host": "bench", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


def _can_spend(holder: Cardholder) -> bool:
    """True if the tenders give enough on any one day, whichever of them is asked first."""
    if holder.status is not CardStatus.ACTIVE or holder.issue_level is not IssueLevel.PAYMENT:
        return False
    if holder.tender_order is TenderOrder.PERSONAL_ACCOUNT_ONLY:
        return holder.personal_account_fen >= SPENDABLE_FEN_MIN
    return holder.bank_allowance_fen >= SPENDABLE_FEN_MIN
