"""The metro's gates of the sample city: people ride all day without a network, and their tickets come in afterwards."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engine.client import EngineClient, Gate, GateSettings
from engine.codes.keys import DEVICE_KEY_ID, SigningKey
from engine.codes.ride_ticket import SignedTicket, read_ticket
from engine.codes.signed_code import issue_signed_code, scenes_of
from engine.core.refusals import Refusal
from engine.core.scenarios import TRANSIT
from engine.flows.clock import Clock
from engine.sandbox.load import SandboxCaller
from engine.sandbox.purchases import Purchase
from engine.sandbox.tally import Tally
from engine.sandbox.wallet import Wallets
from engine.sandbox.ways_to_pay import TurnedAway

OPERATOR: Final = "metro-01"
_CODES_TRIED_MAX: Final = 10


class CityGates:
    """The gates of one operator. Use `open_gates`."""

    def __init__(self, gates: Sequence[Gate], wallets: Wallets, clock: Clock, issuer: SigningKey) -> None:
        """*issuer* signs what phones show, as the engine does while they have a network."""
        self._gates = [(gate, asyncio.Lock()) for gate in gates]
        self._wallets = wallets
        self._clock = clock
        self._issuer = issuer

    async def ride(self, purchase: Purchase, ride_no: str) -> None:
        """Let somebody through: the ticket is on the gate's disk then.

        Raises:
            TurnedAway: the gate stays shut.
        """
        gate, lock = self._gates[purchase.number % len(self._gates)]
        refusal = Refusal.PAY_CODE_USED
        for _ in range(_CODES_TRIED_MAX):
            now_s = self._clock.business_s()
            shown = issue_signed_code(
                self._wallets.code(purchase),
                DEVICE_KEY_ID,
                issued_s=int(now_s),
                scenes=scenes_of([TRANSIT.number]),
                key=self._issuer,
            )
            async with lock:  # a gate lets one through after the other, and waits for its disk
                passed = await asyncio.to_thread(
                    gate.admit, shown, amount=purchase.amount_fen, ride_no=ride_no, now_s=now_s
                )
            if isinstance(passed, SignedTicket):
                return
            refusal = passed
            if refusal is not Refusal.PAY_CODE_USED:
                break
        raise TurnedAway(refusal.slug)

    async def bring_in(self, operator: EngineClient, tally: Tally) -> None:
        """Bring in what all gates have taken, and count what came of it.

        Raises:
            Refused: the engine said no to an upload.
            Unreachable: it does not answer.
        """
        for gate, _ in self._gates:
            lines = list(gate.ticket_lines())
            through = 0
            async for answer in operator.upload_tickets(lines):
                ticket = read_ticket(lines[answer.line - 1])
                assert isinstance(ticket, SignedTicket), "a gate can read what it has written"
                if not answer.final:
                    tally.surprises.append(f"a ticket was not taken: {answer.code}")
                    break
                through = ticket.ticket.sequence
                if isinstance(answer.code, str):
                    tally.count_refused(answer.code)
                else:
                    tally.count_ride(TRANSIT.name, ticket.ticket.amount)
            if through:
                gate.note_brought_in(through, now_s=self._clock.business_s())


@contextmanager
def open_gates(
    folder: Path, operator: SandboxCaller, keys_document: bytes, wallets: Wallets, clock: Clock, issuer: SigningKey
) -> Iterator[CityGates]:
    """The operator's gates, each with a folder of its own in *folder*, and with the engine's public keys.

    Raises:
        JournalFailed: another process has one of them open, or it is damaged.
    """
    with ExitStack() as stack:
        gates = []
        for described in operator.gates or ():
            key = load_pem_private_key(described.key.encode(), None)
            assert isinstance(key, Ed25519PrivateKey), "gates sign with Ed25519"
            settings = GateSettings(
                merchant_id=operator.id, terminal_id=described.terminal_id, scenario=TRANSIT.name, key=key
            )
            gate = stack.enter_context(Gate(folder / f"{operator.name}-{described.terminal_id}", settings))
            gate.load_keys(keys_document)
            gates.append(gate)
        yield CityGates(gates, wallets, clock, issuer)
