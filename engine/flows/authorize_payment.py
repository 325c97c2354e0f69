"""Paying by a shown code: read the code, judge it as of now, and ask the ledger."""

import hashlib
from datetime import datetime

import msgspec

from engine.codes.keys import DEVICE_KEY_ID
from engine.codes.pay_code import device_key, judge_pay_code, parse_pay_code
from engine.core.benefits import MedicalBill
from engine.core.commands import Authorize, PasswordProof, PresentedCode, Quoted
from engine.core.ids import CallerId, CardId, IdKind, MerchantId, PaymentId, device_shard, region_of, shard_of
from engine.core.payments import Mode
from engine.core.refusals import Refusal
from engine.core.scenarios import Scenario
from engine.flows.clock import IdSource


class PaymentWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: the order of one merchant, and who is to pay it."""

    merchant: MerchantId
    mode: Mode
    code: PresentedCode | None  # None: by card
    card: CardId | None
    order_no: str
    amount: int
    scenario: Scenario
    terminal_id: str
    capture: bool
    hold_s: int | None
    description: str | None
    bill_no: str | None = None
    bill: MedicalBill | None = None
    quoted: Quoted | None = None
    password: PasswordProof | None = None
    pay_order: bytes | None = None
    ride_no: str | None = None
    pay_order_until: datetime | None = None


def presented_code(text: str, *, device_master: bytes, arrived_s: float) -> PresentedCode:
    """The code as it was when it arrived, however long the command that it makes then waits.

    What is wrong with it is told only once the ledger knows that the key is new: a merchant that repeats a request gets
    its first answer, not a complaint about a code that has expired meanwhile. The device number of a code that is not
    genuine is not passed on, so that nobody can lock a stranger's row by guessing.
    Units: *arrived_s* in unix seconds of business time.
    """
    code = parse_pay_code(text)
    if isinstance(code, Refusal):
        return PresentedCode(digest=_digest(text), refusal=code, device_no=None)
    key_id = code.key_id if code.key_id is not None else DEVICE_KEY_ID
    verdict = judge_pay_code(code, device_key(device_master, key_id, code.device_no), arrived_s)
    digest = _digest(code.text)
    if isinstance(verdict, Refusal):
        is_genuine = verdict is not Refusal.PAY_CODE_WRONG
        return PresentedCode(
            digest=digest,
            refusal=verdict,
            device_no=code.device_no if is_genuine else None,
            refresh=code.refresh if is_genuine else 0,
        )
    return PresentedCode(digest=digest, refusal=None, device_no=code.device_no, step=verdict, refresh=code.refresh)


def authorize_command(
    wish: PaymentWish, *, caller: CallerId, key: str | None, trace_id: str | None, ids: IdSource
) -> Authorize:
    """The command for a wish, under an id that meets the payer's others in one lane."""
    return Authorize(
        caller=caller,
        key=key,
        trace_id=trace_id,
        payment=PaymentId(ids.new(IdKind.PAYMENT, shard=_shard(wish), region=region_of(wish.merchant))),
        merchant=wish.merchant,
        mode=wish.mode,
        code=wish.code,
        card=wish.card,
        order_no=wish.order_no,
        amount=wish.amount,
        scenario=wish.scenario.number,
        terminal_id=wish.terminal_id,
        capture=wish.capture,
        hold_s=wish.hold_s if wish.hold_s is not None else wish.scenario.hold_s_default,
        description=wish.description,
        bill_no=wish.bill_no,
        bill=wish.bill,
        bill_digest=bill_digest(wish.bill) if wish.bill is not None else None,
        quoted=wish.quoted,
        password=wish.password,
        pay_order=wish.pay_order,
        ride_no=wish.ride_no,
        pay_order_until=wish.pay_order_until,
    )


def bill_digest(bill: MedicalBill) -> str:
    """Thirty-two hex digits that tell one medical bill from another."""
    return hashlib.blake2b(_encode(bill), digest_size=16).hexdigest()


_encode = msgspec.msgpack.Encoder().encode


def _shard(wish: PaymentWish) -> int:
    if wish.code is not None:
        return device_shard(wish.code.device_no) if wish.code.device_no is not None else 0
    return shard_of(wish.card) if wish.card is not None else 0


def _digest(text: str) -> str:
    """Sixteen hex digits that tell one code from another, and do not give it away."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
