"""Operators of a test's node, and what they do together."""

import secrets

from engine.codes.keys import CALLER_KEY_PLACE, FIELD_KEY_ID
from engine.core.ids import CallerId, IdKind, kind_number
from engine.core.participants import OperatorRole
from tests.builders import an_id
from tests.channels import add_channel
from tests.web.api import SECRET, Api, Json, Reply

OPERATORS = {
    "alpha": (OperatorRole.OPERATIONS, 0),
    "beta": (OperatorRole.OPERATIONS, 0),
    "gamma": (OperatorRole.REVIEW, 0),
    "delta": (OperatorRole.AUDIT, 0),
    "beijing": (OperatorRole.OPERATIONS, 110000),
    "shanghai": (OperatorRole.OPERATIONS, 310000),
}
HARBOUR_BANK = "102100099996"
RIVER_BANK = "103100099997"


async def add_operators(api: Api) -> dict[str, CallerId]:
    """Register `OPERATORS`; each calls by its name."""
    ids = {name: CallerId(an_id(IdKind.OPERATOR, region=region)) for name, (_, region) in OPERATORS.items()}
    await api.sql.copy_records_to_table(
        "operator",
        records=[(ids[name], name, role, region, name, name) for name, (role, region) in OPERATORS.items()],
    )
    await add_keys(api, ids)
    return ids


async def add_keys(api: Api, callers: dict[str, CallerId]) -> None:
    """Give callers keys that bear their names, with the secret that all tests share. Channels are live then."""
    records = []
    for name, caller in callers.items():
        sealed = api.node.keyring.seal(SECRET.encode(), place=CALLER_KEY_PLACE, nonce=secrets.token_bytes(12))
        records.append((name, caller, "hmac-sha256", sealed, FIELD_KEY_ID, False))
    await api.sql.copy_records_to_table("caller_key", records=records)
    for caller in callers.values():
        if kind_number(caller) == IdKind.CHANNEL:
            await add_channel(api.sql, caller)


def a_bank(**changes: object) -> Json:
    """The body of a bank's registration."""
    body: Json = {
        "kind": "bank",
        "code": HARBOUR_BANK,
        "name_zh": "港湾银行",
        "name_en": "Harbour Bank",
        "region": "110000",
        "reason": "contract 7",
    }
    return body | changes


def a_merchant(**changes: object) -> Json:
    """The body of a merchant's registration."""
    body: Json = {
        "kind": "merchant",
        "code": "P11010100042",
        "name_zh": "新药店",
        "name_en": "New Pharmacy",
        "region": "110101",
        "bank": HARBOUR_BANK,
        "scenarios": ["pharmacy"],
        "terminals": ["T-01", "T-02"],
        "reason": "contract 8",
    }
    return body | changes


async def approve(api: Api, asked: Reply, *, by: str = "beta", key: str | None = None) -> Reply:
    """What an operator answers when it approves what was asked for."""
    assert asked.status == 202, asked.body
    return await api.post(f"/v1/approvals/{asked['id']}/approve", caller=by, key=key)


async def register(api: Api, body: Json, *, asked_by: str = "alpha", approved_by: str = "beta") -> Reply:
    """Two operators bring a participant in. Returns the approval as it was decided."""
    decided = await approve(api, await api.post("/v1/participants", body, caller=asked_by), by=approved_by)
    assert decided.status == 200, decided.body
    return decided


def result_of(decided: Reply) -> Json:
    """What came of an approval."""
    result = decided["result"]
    assert isinstance(result, dict)
    return result
