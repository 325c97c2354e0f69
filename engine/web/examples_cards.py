"""Examples of the requests about cards of the register. The person is invented; the numbers are nobody's."""

from datetime import date
from typing import Final

import msgspec

from engine.web.wire_cards import (
    CardRequest,
    CardSearchRequest,
    EndingRequest,
    PaymentEnablingRequest,
    RelativeRequest,
    ReplacementRequest,
    SignRequest,
)

_ID_NUMBER: Final = "110101199003079972"
_CARD_NO: Final = "Z12345676"
_BANK: Final = "102100099996"
_ACCOUNT: Final = "6217000000000000"
_PHONE: Final = "15400000001"

CARD_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    CardRequest(
        name="张三",
        id_number=_ID_NUMBER,
        phone=_PHONE,
        card_no=_CARD_NO,
        region="110101",
        bank=_BANK,
        bank_account=_ACCOUNT,
        issued_on=date(2026, 1, 5),
        valid_until=date(2036, 1, 5),
        insurance="310",
        person_type="11",
    ),
    CardSearchRequest(id_number=_ID_NUMBER, name="张三", card_no=_CARD_NO),
    SignRequest(id_number=_ID_NUMBER, name="张三", card_no=_CARD_NO),
    PaymentEnablingRequest(bank=_BANK, bank_account=_ACCOUNT, phone=_PHONE),
    EndingRequest(reason="the cardholder has died"),
    ReplacementRequest(
        card_no=_CARD_NO, issued_on=date(2026, 11, 24), valid_until=date(2036, 11, 24), reason="lost on a train"
    ),
    RelativeRequest(
        id_number=_ID_NUMBER,
        name="张三",
        card_no=_CARD_NO,
        relation="child",
        proof="household_register:" + "5f" * 32,
        expires_on=date(2027, 11, 24),
    ),
)
