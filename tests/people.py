"""People for tests of the register: invented, with numbers that are well formed and nobody's."""

from datetime import date

import msgspec

from engine.core.id_numbers import check_character
from engine.sandbox.numbers import card_number

BANK = "102100099996"  # a number whose check digit fits
OTHER_BANK = "103100099997"
TODAY = date(2026, 11, 24)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, and the card in the hand."""

    name: str
    id_number: str
    phone: str
    card_no: str
    account: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log and no problem may show."""
        return (self.name, self.id_number, self.phone, self.card_no, self.account)

    @property
    def identity(self) -> dict[str, object]:
        """What the person shows."""
        return {"name": self.name, "id_number": self.id_number, "card_no": self.card_no}

    def record(self, **changes: object) -> dict[str, object]:
        """The body of the request that brings the card in."""
        body: dict[str, object] = {
            **self.identity,
            "phone": self.phone,
            "region": "110101",
            "bank": BANK,
            "bank_account": self.account,
            "issued_on": "2026-01-05",
            "valid_until": "2036-01-05",
            "insurance": "310",
            "person_type": "11",
        }
        return {name: value for name, value in (body | changes).items() if value is not None}

    def line(self, **changes: object) -> str:
        """The same as a line of a file."""
        columns = (
            "name",
            "id_number",
            "phone",
            "card_no",
            "region",
            "bank",
            "bank_account",
            "issued_on",
            "valid_until",
        )
        record = self.record(**changes)
        return ",".join(str(record.get(column, "")) for column in columns)


HEADER = "name,id_number,phone,card_no,region,bank,bank_account,issued_on,valid_until"


def person(n: int) -> Person:
    """The *n*-th of a thousand."""
    body = f"110101{1960 + n % 40}0307{n % 1000:03d}"
    return Person(
        name=f"欧阳测{chr(0x4E00 + n)}",
        id_number=body + check_character(body),
        phone=f"154{n:08d}",
        card_no=card_number(f"Q{n:07d}"),
        account=f"62179999{n:08d}",
    )
