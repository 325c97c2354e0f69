"""Gates of merchant-0 beside an engine: what phones show at them, and the tickets that they bring in."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.codes.ride_ticket import RideTicket, sign_ticket, ticket_line
from engine.codes.signed_code import SignedCode, issue_signed_code, read_signed_code, scenes_of
from engine.core.ids import id_text
from engine.core.scenarios import SCENARIOS, TRANSIT
from tests.web.api import Api, Json, Reply, a_key

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(4, 36)))
SCENES: Final = scenes_of(scenario.number for scenario in SCENARIOS if scenario.is_offline)
BULK: Final = "/v1/payments/bulk"
LONG_AGO_S: Final = 2 * 86_400


def jwk(key: Ed25519PrivateKey) -> Json:
    """The public half."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode(),
    }


async def open_shops(api: Api) -> None:
    """Merchants may be paid for everything."""
    await api.sql.execute("UPDATE merchant SET scenarios = $1", [scenario.number for scenario in SCENARIOS])


async def a_gate(api: Api, *, merchant: int = 0, key: Ed25519PrivateKey = KEY, since_s: float = LONG_AGO_S) -> str:
    """A new terminal that has had its key for so many seconds."""
    terminal = f"G-{a_key()[:8]}"
    await api.sql.execute("INSERT INTO terminal VALUES ($1, $2)", api.world.merchants[merchant], terminal)
    reply = await set_key(api, terminal, key, merchant=merchant, ago_s=since_s)
    assert reply.status == 201, reply.body
    return terminal


async def set_key(api: Api, terminal: str, key: Ed25519PrivateKey, *, merchant: int = 0, ago_s: float = 0.0) -> Reply:
    """Give a terminal a key, as if it had been so many seconds ago."""
    with api.clock.held(api.clock.wall_s() - ago_s):
        return await api.post(f"/v1/terminals/{terminal}/keys", {"public_key": jwk(key)}, caller=f"merchant-{merchant}")


def shown(api: Api, *, card: int = 0, age_s: float = 0.0) -> str:
    """What a phone of a card showed so many seconds ago: a new code each time."""
    issued_s = int(api.clock.business_s() - age_s)
    return issue_signed_code(
        api.pay_code(card=card, age_s=age_s), 1, issued_s=issued_s, scenes=SCENES, key=api.node.signing_keys[0]
    )


def a_ticket(api: Api, terminal: str, sequence: int, *, card: int = 0, **changes: str | int) -> RideTicket:
    """A ride of now."""
    signed = read_signed_code(shown(api, card=card))
    assert isinstance(signed, SignedCode)
    now_s = int(api.clock.business_s())
    fields: dict[str, str | int] = {
        "merchant_id": id_text(api.world.merchants[0]),
        "terminal_id": terminal,
        "sequence": sequence,
        "code": signed.code.text,
        "code_issued_s": now_s,
        "taken_s": now_s,
        "amount": 300,
        "scenario": TRANSIT.name,
        "ride_no": f"R-{a_key()}",
    }
    return RideTicket(**(fields | changes))  # type: ignore[arg-type]  # tests change what they like


def lines_of(tickets: Iterable[RideTicket], key: Ed25519PrivateKey = KEY) -> list[bytes]:
    """The tickets as a gate with this key brings them in."""
    return [ticket_line(sign_ticket(ticket, key)) for ticket in tickets]


async def bring_in(api: Api, lines: Sequence[bytes], *, merchant: int = 0) -> list[Json]:
    """The answers of an upload."""
    reply = await api.post(BULK, b"".join(lines), caller=f"merchant-{merchant}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/x-ndjson"), reply.body
    answers = [msgspec.json.decode(line, type=dict[str, object]) for line in reply.body.splitlines()]
    assert [answer["line"] for answer in answers] == list(range(1, len(lines) + 1))
    return answers


def outcomes(answers: Iterable[Json]) -> list[object]:
    """Status or code of each line."""
    return [answer.get("status", answer.get("code")) for answer in answers]


async def last_sequence(api: Api, terminal: str) -> object:
    """Up to which number its tickets have come in."""
    return (await api.get(f"/v1/terminals/{terminal}/keys"))["last_sequence"]


async def spent(api: Api, card: int) -> int:
    """Fen that a card has spent offline."""
    found: int = await api.sql.fetchval("SELECT spent_offline FROM payer WHERE id = $1", api.world.cards[card])
    return found
