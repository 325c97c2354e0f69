"""What lines become in ISO 20022, once for all messages and files that a line is in.

Our field is the element of the same meaning: `payment_id` is `EndToEndId`, `item_id` is `InstrId` and `TxId`, the leg
is the local instrument, the type is the purpose, banks are clearing system members, account tokens are `Othr/Id`. The
merchant is the party on its side, an organisation; cardholders are private parties, by their token. What has no
element of its own is in the remittance information, each value behind its code word: `/ORD/` the order, `/ORG/` the
original payment where it is another than usual, `/RMK/` the remark, and in a collection `/AT/` the instant.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.core.clearing_lines import ItemType
from engine.core.ids import PREFIXES, IdKind
from engine.core.line_columns import LineColumns
from engine.formats.bank_file import FieldOverflow
from engine.formats.iso_text import (
    ACCOUNT_CHARACTERS_MAX,
    AMOUNT_MAX,
    ID_CHARACTERS_MAX,
    amount_text,
    escaped,
    instant_text,
    is_plain,
)

ORDER_CHARACTERS_MAX: Final = 64
_CARD: Final = PREFIXES[IdKind.CARD]
# Field, and how many characters it may have at least and at most.
_TEXTS: Final = (
    ("item_id", 1, ID_CHARACTERS_MAX),
    ("payment_id", 1, ID_CHARACTERS_MAX),
    ("leg", 1, ID_CHARACTERS_MAX),
    ("type", 1, ID_CHARACTERS_MAX),
    ("debit_bank", 1, ID_CHARACTERS_MAX),
    ("debit_account", 1, ACCOUNT_CHARACTERS_MAX),
    ("credit_bank", 1, ID_CHARACTERS_MAX),
    ("credit_account", 1, ACCOUNT_CHARACTERS_MAX),
    ("merchant_id", 0, ID_CHARACTERS_MAX),
    ("order_no", 0, ORDER_CHARACTERS_MAX),
    ("original_payment_id", 0, ID_CHARACTERS_MAX),
    ("remark", 0, ID_CHARACTERS_MAX),
)
_IN_REMITTANCE: Final = frozenset({"order_no", "original_payment_id", "remark"})
_SEPARATOR: Final = "/"  # before and behind a code word


class IsoItem(NamedTuple):
    """A line's values as they stand in a message."""

    item_id: str
    payment_id: str
    leg: str
    type: str
    amount: str
    debtor: str
    debit_account: str
    debit_bank: str
    creditor: str
    credit_account: str
    credit_bank: str
    remittance: str  # empty, or code words and values
    at: str


def iso_items(lines: LineColumns) -> list[IsoItem]:
    """The values of some lines.

    Raises:
        FieldOverflow: a value does not fit its element.
    """
    check_amounts(lines)
    amounts, instants = map(amount_text, lines.amount), map(instant_text, lines.occurred_at)
    return list(map(_iso_item, amounts, instants, *_checked_texts(lines)))


def check_amounts(lines: LineColumns) -> None:
    """Raise `FieldOverflow` if an amount is not above zero, or has too many digits."""
    if lines.count and (min(lines.amount) <= 0 or max(lines.amount) > AMOUNT_MAX):
        raise FieldOverflow("amount")


def _iso_item(  # one argument for each text, in the order of _TEXTS
    amount: str,
    at: str,
    item_id: str,
    payment_id: str,
    leg: str,
    type_: str,
    debit_bank: str,
    debit_account: str,
    credit_bank: str,
    credit_account: str,
    merchant_id: str,
    order_no: str,
    original_payment_id: str,
    remark: str,
) -> IsoItem:
    is_refund = type_ == ItemType.REFUND
    merchant = f"<OrgId><Othr><Id>{merchant_id}</Id></Othr></OrgId>" if merchant_id else ""
    debtor = (is_refund and merchant) or _party(debit_account, is_merchants=is_refund)
    creditor = (not is_refund and merchant) or _party(credit_account, is_merchants=not is_refund)
    remittance = f"/ORD/{order_no}" if order_no else ""
    if original_payment_id != (payment_id if is_refund else ""):
        remittance += f"/ORG/{original_payment_id}"
    if remark:
        remittance += f"/RMK/{remark}"
    return IsoItem(
        item_id,
        payment_id,
        leg,
        type_,
        amount,
        debtor,
        debit_account,
        debit_bank,
        creditor,
        credit_account,
        credit_bank,
        remittance,
        at,
    )


def _party(account: str, *, is_merchants: bool) -> str:
    """Who has an account, by its token: an organisation on the merchant's side would be taken for the merchant."""
    kind = "PrvtId" if is_merchants or account.startswith(_CARD) else "OrgId"
    return f"<{kind}><Othr><Id>{account}</Id></Othr></{kind}>"


def _checked_texts(lines: LineColumns) -> Sequence[Sequence[str]]:
    """The columns of texts in the order of _TEXTS, escaped where they have to be."""
    columns: list[Sequence[str]] = [getattr(lines, name) for name, _, _ in _TEXTS]
    for (name, characters_min, characters_max), column in zip(_TEXTS, columns, strict=True):
        if max(map(len, column), default=0) > characters_max or (characters_min and "" in column):
            raise FieldOverflow(name)
        if name in _IN_REMITTANCE and any(_SEPARATOR in value for value in column):
            raise FieldOverflow(name)
    if is_plain("".join(map("".join, columns))):
        return columns
    return [[escaped(name, value) for value in column] for (name, _, _), column in zip(_TEXTS, columns, strict=True)]
