"""Paying by a shown code: read the code, judge it as of now, and ask the ledger."""

import hashlib

import msgspec

from engine.codes.keys import DEVICE_KEY_ID
from engine.codes.pay_code import device_key, judge_pay_code, parse_pay_code
from engine.core.commands import Authorize
from engine.core.ids import CallerId, IdKind, PaymentId, device_shard, region_of
from engine.core.refusals import Refusal
from engine.core.scenarios import Scenario
from engine.flows.clock import IdSource


class PaymentWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant asks for."""

    pay_code: str
    order_no: str
    amount: int
    scenario: Scenario
    terminal_id: str
    capture: bool
    hold_s: int | None
    description: str | None
    bill_no: str | None = None


def authorize_command(
    wish: PaymentWish,
    *,
    caller: CallerId,
    key: str,
    trace_id: str,
    device_master: bytes,
    arrived_s: float,
    ids: IdSource,
) -> Authorize:
    """The command for a merchant's wish. The code is judged as of its arrival, however long the command then waits.

    What is wrong with the code is told only once the ledger knows that the key is new: a merchant that repeats a
    request gets its first answer, not a complaint about a code that has expired meanwhile. The device number of a code
    that is not genuine is not passed on, so that nobody can lock a stranger's row by guessing.
    Units: *arrived_s* in unix seconds of business time.
    """
    code = parse_pay_code(wish.pay_code)
    device_no = None
    step = 0
    refresh = 0
    if isinstance(code, Refusal):
        refusal: Refusal | None = code
        digest = _digest(wish.pay_code)
    else:
        key_id = code.key_id if code.key_id is not None else DEVICE_KEY_ID
        verdict = judge_pay_code(code, device_key(device_master, key_id, code.device_no), arrived_s)
        refusal = verdict if isinstance(verdict, Refusal) else None
        if refusal is not Refusal.PAY_CODE_WRONG:
            device_no, refresh = code.device_no, code.refresh
        step = verdict if not isinstance(verdict, Refusal) else 0
        digest = _digest(code.text)
    shard = device_shard(device_no) if device_no is not None else 0
    return Authorize(
        caller=caller,
        key=key,
        trace_id=trace_id,
        payment=PaymentId(ids.new(IdKind.PAYMENT, shard=shard, region=region_of(caller))),
        code_digest=digest,
        code_refusal=refusal,
        device_no=device_no,
        code_step=step,
        code_refresh=refresh,
        order_no=wish.order_no,
        amount=wish.amount,
        scenario=wish.scenario.number,
        terminal_id=wish.terminal_id,
        capture=wish.capture,
        hold_s=wish.hold_s if wish.hold_s is not None else wish.scenario.hold_s_default,
        description=wish.description,
        bill_no=wish.bill_no,
    )


def _digest(text: str) -> str:
    """Sixteen hex digits that tell one code from another, and do not give it away."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
