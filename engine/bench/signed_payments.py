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

from engine.client.client import EngineClient
from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.codes.pay_code import REFRESH_MAX, STEP_S, pay_code_at, step_at
from engine.core.benefits import ItemClass
from engine.core.decimals import unscaled
from engine.core.ids import device_serial
from engine.core.payer import CardStatus, IssueLevel, TenderOrder
from engine.flows.clock import Clock, IdSource
from engine.sandbox.catalogue import CATALOGUE
from engine.sandbox.city import SampleCity
from engine.sandbox.guide import SandboxGuide
from engine.sandbox.people import Cardholder

TARGET: Final = "/v1/payments"
SPENDABLE_FEN_MIN: Final = 100_000
AMOUNT_FEN_MIN: Final = 100
AMOUNT_FEN_MAX: Final = 599
PAYMENTS_PER_CARD_MAX: Final = SPENDABLE_FEN_MIN // AMOUNT_FEN_MAX
CODES_PER_STEP: Final = REFRESH_MAX + 1

LINES: Final = 4  # of a bill
_ITEMS: Final = tuple(
    item.code
    for item in CATALOGUE
    if item.coverage.item_class is not ItemClass.C and item.coverage.price_limit_e6 is None
)

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
    """One till of every hospital and pharmacy that may take payments; the first one is a hospital's.

    What is bought elsewhere only a bank card pays, and some of it has to be confirmed.
    """
    tills = []
    for merchant in city.merchants:
        caller = guide.caller(merchant.slug)
        if not merchant.is_suspended and merchant.kind in ("hospital", "pharmacy"):
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

    async def make(self, count: int, *, is_hot: bool = False, has_bill: bool = False) -> list[bytes]:
        """*count* requests (or a step's worth, if that is less), evenly over the merchants.

        Hot: every second one goes to the first merchant, the others evenly to the rest. With a bill, the insurance
        pays a part of each.

        Raises:
            CardsUsedUp: the cards would have to pay more often than they have money for.
        """
        count = min(count, self.step_capacity)
        if self._made + count > len(self._phones) * PAYMENTS_PER_CARD_MAX:
            raise CardsUsedUp(f"the city's cards have money for {self._made:,} payments and no {count:,} more")
        await self._find_step(count)
        return [self._request(is_hot=is_hot, has_bill=has_bill) for _ in range(count)]

    async def reads(self, port: int, count: int) -> list[bytes]:
        """*count* requests of the first merchant for how its newest payments stand, one after the other."""
        till = self._tills[0]
        async with EngineClient(f"http://127.0.0.1:{port}", till.credentials) as client:
            newest = (await client.payments(limit="100")).items
        return [
            signed_request(
                till.credentials, self._clock, self._ids, b"", target=f"{TARGET}/{newest[n % len(newest)].id}"
            )
            for n in range(count)
        ]

    async def _find_step(self, count: int) -> None:
        now_s = self._clock.wall_s()
        if step_at(now_s) == self._step and self._made_in_step + count > self.step_capacity:
            await asyncio.sleep((self._step + 1) * STEP_S - now_s)
            now_s = max(self._clock.wall_s(), (self._step + 1) * STEP_S)  # timers may come a moment early
        if step_at(now_s) != self._step:
            self._step = step_at(now_s)
            self._made_in_step = 0

    def _request(self, *, is_hot: bool, has_bill: bool) -> bytes:
        refresh, phone_no = divmod(self._made_in_step, len(self._phones))
        phone = self._phones[phone_no]
        turn = self._made
        self._made_in_step += 1
        self._made += 1
        till = self._till(turn, is_hot=is_hot)
        order_no = f"{self._run}-{turn}"
        amount = AMOUNT_FEN_MIN + turn % (AMOUNT_FEN_MAX - AMOUNT_FEN_MIN + 1)
        body: dict[str, object] = {
            "pay_code": pay_code_at(phone.key, phone.device_no, refresh, self._step * STEP_S),
            "order_no": order_no,
            "amount": amount,
            "scenario": till.scenario,
            "terminal_id": till.terminal_id,
        }
        if has_bill:
            body["bill"] = {"lines": bill_lines(amount, turn)}
        return signed_request(till.credentials, self._clock, self._ids, encode_json(body), key=f"{order_no}-pay")

    def _till(self, turn: int, *, is_hot: bool) -> Till:
        if not is_hot:
            return self._tills[turn % len(self._tills)]
        return self._tills[0] if turn % 2 == 0 else self._tills[1 + turn // 2 % (len(self._tills) - 1)]


def bill_lines(amount: int, turn: int) -> list[dict[str, object]]:
    """The lines of a bill of *amount* fen: one of each, of items that the personal account may pay as well."""
    part = amount // LINES
    return [
        {
            "item": _ITEMS[(turn + n) % len(_ITEMS)],
            "quantity": "1",
            "price": unscaled(fen, 2),
            "amount": fen,
        }
        for n, fen in enumerate([part] * (LINES - 1) + [amount - part * (LINES - 1)])
    ]


def signed_request(
    credentials: Credentials,
    clock: Clock,
    ids: IdSource,
    body: bytes,
    *,
    target: str = TARGET,
    key: str | None = None,
) -> bytes:
    """A signed request as it goes over the wire: a POST with a body, and a GET without one."""
    method = "POST" if body else "GET"
    covered = CoveredRequest(
        method=method,
        target=target,
        content_digest=content_digest(body) if body else None,
        idempotency_key=f'"{key}"' if key is not None else None,
    )
    signed = sign(
        covered,
        credentials.key,
        keyid=credentials.keyid,
        created=int(clock.wall_s()),
        nonce=ids.trace_id(),
    )
    return written_request(target, signed, body)


def written_request(target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it goes over the wire: a POST with a body, and a GET without one."""
    about_body = {"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}
    head = {"Host": "bench", **about_body, **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{'POST' if body else 'GET'} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


def _can_spend(holder: Cardholder) -> bool:
    """True if the tenders give enough on any one day, whichever is asked first, and nobody asks for the password."""
    if holder.status is not CardStatus.ACTIVE or holder.issue_level is not IssueLevel.PAYMENT:
        return False
    if holder.no_password_up_to_fen < AMOUNT_FEN_MAX:
        return False
    if holder.tender_order is TenderOrder.PERSONAL_ACCOUNT_ONLY:
        return holder.personal_account_fen >= SPENDABLE_FEN_MIN
    return holder.bank_allowance_fen >= SPENDABLE_FEN_MIN
