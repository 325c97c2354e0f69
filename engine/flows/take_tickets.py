"""Taking the tickets of gates that had no network: each is judged, paid through the ledger and answered, in order.

What a ticket was answered is kept by the ledger under its terminal and number. So the same ticket gets the same answer
however often it is brought in, a crash at any moment loses nothing, and a number pays once even if two uploads race.
How far a terminal has come is noted after its tickets are answered: until then they may simply be brought in again.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import IO, Final

import asyncpg
import msgspec
import structlog

from engine.codes.ride_ticket import (
    LINE_BYTES_MAX,
    RideTicket,
    SignedTicket,
    TicketFault,
    TicketVerdict,
    judge_ticket,
    read_ticket,
    ticket_id,
)
from engine.core.answers import Answer
from engine.core.commands import Authorize, PresentedCode
from engine.core.ids import CallerId, MerchantId, id_text
from engine.core.payments import Mode
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME
from engine.flows.authorize_payment import PaymentWish, authorize_command, presented_code
from engine.flows.clock import IdSource
from engine.hints.attempts import WRONG_MAX, WrongCodes
from engine.ledger.queue import Outcome, Overloaded
from engine.ledger.router import KeyInProgress, Ledger
from engine.store.faults import Fault, StoreUnavailable
from engine.store.gates import GateState, Span, claim_sequences, load_gates

LINES_AT_ONCE: Final = 128  # as many as the ledger commits together; verifying them takes a thread 30 ms
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)  # a full queue is a few tenths of a second
_SKIP_BYTES: Final = 65_536

_REFUSED_AS: Final = {
    TicketVerdict.CODE_STALE: Refusal.PAY_CODE_EXPIRED,
    TicketVerdict.TAKEN_LATER: Refusal.TICKET_INVALID,
    TicketVerdict.TOO_LATE: Refusal.TICKET_INVALID,
}

log = structlog.get_logger("engine.flows")


class TicketDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What tickets are taken with, and for whom. Units: unix seconds of business time, seconds of a steady clock."""

    pool: asyncpg.Pool
    ledger: Ledger
    ids: IdSource
    wrong_codes: WrongCodes
    device_master: bytes
    merchant: MerchantId
    trace_id: str
    now_s: float
    steady_s: float


class TicketAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line. `answer` is the ledger's; without one `refusal` says why there is none.

    Shape: `line` counts from 1; `ticket` is None if the line is none. `is_final`: the number is taken, and the answer
    stays; else the line may be brought in again.
    """

    line: int
    ticket: RideTicket | None
    answer: Answer | None = None
    refusal: Refusal | None = None
    faults: tuple[TicketFault, ...] = ()
    is_final: bool = False


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A line before the ledger is asked; `command` None: it has nothing to say to it."""

    ticket: RideTicket | None
    command: Authorize | None = None
    refusal: Refusal | None = None
    faults: tuple[TicketFault, ...] = ()


async def take_tickets(desk: TicketDesk, lines: IO[bytes]) -> AsyncGenerator[Sequence[TicketAnswer], None]:
    """Every line's answer, in the order of the lines, some at a time.

    When the database goes away meanwhile, what is left is answered STORE_UNAVAILABLE: no line goes without an answer.
    """
    done, is_down = 0, False
    while read := await asyncio.to_thread(_next_lines, lines):
        answers: list[TicketAnswer] = []
        if not is_down:
            try:
                answers = await _take(desk, read, first=done + 1)
            except Fault as fault:
                log.warning("tickets.store_unavailable", trace_id=desk.trace_id, fault=str(fault))
                is_down = True
        yield answers or [
            TicketAnswer(line=done + n, ticket=None, refusal=Refusal.STORE_UNAVAILABLE) for n in range(1, len(read) + 1)
        ]
        done += len(read)


async def _take(desk: TicketDesk, lines: Sequence[bytes], *, first: int) -> list[TicketAnswer]:
    """Read, judge, pay; then note how far each terminal has come."""
    read = await asyncio.to_thread(lambda: [read_ticket(line) for line in lines])
    terminals = {one.ticket.terminal_id for one in read if isinstance(one, SignedTicket)}
    gates = await load_gates(desk.pool, desk.merchant, terminals)
    guessing = {
        terminal
        for terminal in terminals
        if desk.wrong_codes.are_too_many(desk.merchant, terminal, now_s=desk.steady_s)
    }
    bench = _Bench(desk, gates, guessing)
    judged = await asyncio.to_thread(lambda: [bench.judge(one) for one in read])
    outcomes = await asyncio.gather(*(_submit(desk.ledger, one.command) for one in judged))
    answers = []
    for n, (one, outcome) in enumerate(zip(judged, outcomes, strict=True)):
        answer = _answered(one, outcome, line=first + n)
        if isinstance(outcome, Outcome) and not outcome.is_replay and _is_wrong_code(outcome.answer):
            assert one.ticket is not None, "a command is made of a ticket"
            desk.wrong_codes.count(desk.merchant, one.ticket.terminal_id, now_s=desk.steady_s)
        answers.append(answer)
    spans = tuple(_spans(gates, answers))
    if spans:
        await claim_sequences(desk.pool, desk.merchant, spans)
    return answers


class _Bench:
    """Judges the lines of one part of an upload, one after the other: a ticket's number depends on those before it."""

    def __init__(self, desk: TicketDesk, gates: Mapping[str, GateState], guessing: set[str]) -> None:
        """*guessing* are terminals that have shown too many wrong codes lately."""
        self._desk = desk
        self._gates = gates
        self._last = {terminal: gate.last_sequence for terminal, gate in gates.items()}
        self._wrong = {terminal: WRONG_MAX if terminal in guessing else 0 for terminal in gates}
        self._merchant = id_text(desk.merchant)

    def judge(self, read: SignedTicket | tuple[TicketFault, ...]) -> _Judged:
        """What the ledger is to be asked about a line, or why it is not asked."""
        if not isinstance(read, SignedTicket):
            return _Judged(ticket=None, refusal=Refusal.TICKET_INVALID, faults=read)
        ticket = read.ticket
        if ticket.merchant_id != self._merchant:
            return _invalid(ticket, "/merchant_id", "not the merchant that brings it in")
        gate = self._gates.get(ticket.terminal_id)
        if gate is None:
            return _invalid(ticket, "/terminal_id", "a terminal that has no key")
        last = self._last[ticket.terminal_id]
        verdict = judge_ticket(read, keys=gate.keys, last_sequence=last, now_s=self._desk.now_s)
        if verdict is TicketVerdict.FORGED:
            return _invalid(ticket, "/signature", "not of a key that the terminal had then")
        if verdict is TicketVerdict.GAP:
            fault = TicketFault("/sequence", f"{last + 1} has not come in")
            return _Judged(ticket=ticket, refusal=Refusal.TICKET_SEQUENCE_GAP, faults=(fault,))
        is_new = ticket.sequence > last
        if is_new and self._wrong[ticket.terminal_id] >= WRONG_MAX:
            return _Judged(ticket=ticket, refusal=Refusal.TOO_MANY_ATTEMPTS)
        # REPEATED goes to the ledger as well, which knows whether it is the same ticket, and what it was answered.
        code = self._code_of(ticket, verdict)
        if is_new:
            self._last[ticket.terminal_id] = ticket.sequence
            self._wrong[ticket.terminal_id] += code.refusal is Refusal.PAY_CODE_WRONG
        return _Judged(ticket=ticket, command=self._command_for(ticket, code))

    def _code_of(self, ticket: RideTicket, verdict: TicketVerdict) -> PresentedCode:
        """The code as of its issue. It is named by the whole ticket, so that no other ticket is taken for this one."""
        named = ticket_id(ticket)
        refusal = _REFUSED_AS.get(verdict)
        if refusal is not None:
            return PresentedCode(digest=named, refusal=refusal, device_no=None, ticket=named)
        code = presented_code(ticket.code, device_master=self._desk.device_master, arrived_s=ticket.code_issued_s)
        return msgspec.structs.replace(code, digest=named, ticket=named)

    def _command_for(self, ticket: RideTicket, code: PresentedCode) -> Authorize:
        wish = PaymentWish(
            merchant=self._desk.merchant,
            mode=Mode.SHOW_CODE,
            code=code,
            card=None,
            order_no=ticket.ride_no,
            amount=ticket.amount,
            scenario=BY_NAME[ticket.scenario],
            terminal_id=ticket.terminal_id,
            capture=True,
            hold_s=None,
            description=None,
        )
        return authorize_command(
            wish,
            caller=CallerId(self._desk.merchant),
            key=ticket_key(ticket),
            trace_id=self._desk.trace_id,
            ids=self._desk.ids,
        )


def ticket_key(ticket: RideTicket) -> str:
    """What the ledger remembers a ticket's answer under. A request's own key is ASCII, so it is never one of these."""
    return f"ticket·{ticket.terminal_id}·{ticket.sequence}"


async def _submit(ledger: Ledger, command: Authorize | None) -> Outcome | Refusal | None:
    """The ledger's outcome; after some attempts, why there is none. Each attempt is the same command, so one counts."""
    if command is None:
        return None
    refusal = Refusal.OVERLOADED
    for pause_s in (*_PAUSES_S, 0.0):
        try:
            return await ledger.submit(command)
        except Overloaded:
            refusal = Refusal.OVERLOADED
        except KeyInProgress:
            refusal = Refusal.IDEMPOTENCY_KEY_IN_PROGRESS
        except StoreUnavailable:
            refusal = Refusal.STORE_UNAVAILABLE
        await asyncio.sleep(pause_s)
    return refusal


def _answered(one: _Judged, outcome: Outcome | Refusal | None, *, line: int) -> TicketAnswer:
    if outcome is None:
        return TicketAnswer(line=line, ticket=one.ticket, refusal=one.refusal, faults=one.faults)
    if isinstance(outcome, Refusal):
        return TicketAnswer(line=line, ticket=one.ticket, refusal=outcome)
    answer = outcome.answer
    if answer.refusal == Refusal.IDEMPOTENCY_KEY_REUSED.value:
        fault = TicketFault("/sequence", "another ticket has had this number")
        return TicketAnswer(
            line=line, ticket=one.ticket, refusal=Refusal.TICKET_REPEATED, faults=(fault,), is_final=True
        )
    return TicketAnswer(line=line, ticket=one.ticket, answer=answer, is_final=True)


def _invalid(ticket: RideTicket, pointer: str, reason: str) -> _Judged:
    return _Judged(ticket=ticket, refusal=Refusal.TICKET_INVALID, faults=(TicketFault(pointer, reason),))


def _is_wrong_code(answer: Answer) -> bool:
    return answer.refusal == Refusal.PAY_CODE_WRONG.value


def _spans(gates: Mapping[str, GateState], answers: Sequence[TicketAnswer]) -> Iterator[Span]:
    """For each terminal the new numbers up to the first that has no final answer."""
    last = {terminal: gate.last_sequence for terminal, gate in gates.items()}
    for answer in answers:
        if answer.is_final and answer.ticket is not None:
            terminal = answer.ticket.terminal_id
            last[terminal] += answer.ticket.sequence == last[terminal] + 1
    for terminal, gate in gates.items():
        if last[terminal] > gate.last_sequence:
            yield Span(terminal, gate.last_sequence + 1, last[terminal])


def _next_lines(lines: IO[bytes]) -> list[bytes]:
    """The next lines of a file. One that is too long is cut, and told by its length."""
    taken: list[bytes] = []
    while len(taken) < LINES_AT_ONCE and (line := lines.readline(LINE_BYTES_MAX + 1)):
        taken.append(line)
        while not line.endswith(b"\n") and (line := lines.readline(_SKIP_BYTES)):
            pass
    return taken
