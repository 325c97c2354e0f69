"""The fields of a published flat file that its bank's statement is compared with, read many lines at a time.

The file is the engine's own and never changes; `engine.formats.flat` reads what has still to be judged. Here only the
number of its lines is, and a line that has other fields than it should is a bug.
"""

from typing import Final

from engine.formats.flat_layout import DETAIL

_AT: Final = {field.name: place for place, field in enumerate(DETAIL, start=2)}  # after D and the line's place
_FIELDS: Final = len(DETAIL) + 2

FlatItem = tuple[str, int, int, str, str, str]
"""Payment id, amount in fen, place in the file, leg, order number, token of the receiver's account."""


class FlatItems:
    """Reads one file in pieces of any size."""

    def __init__(self, *, is_debit: bool) -> None:
        """A COLLECT file takes from the accounts that are debited, a CREDIT file gives to those that are credited."""
        self._account = _AT["debit_account" if is_debit else "credit_account"]
        self._rest = b""
        self._count = 0
        self._is_whole = False

    def read(self, piece: bytes) -> list[FlatItem]:
        """The lines that end in the next piece."""
        self._rest += piece
        end = self._rest.rfind(b"\n") + 1
        lines, self._rest = self._rest[:end].decode().split("\n"), self._rest[end:]
        found = [item for line in lines if line and (item := self._item(line)) is not None]
        self._count += len(found)
        return found

    def finish(self) -> int:
        """How many lines there were, once all pieces are read."""
        assert self._is_whole, "a published file ends with its trailer"
        return self._count

    def _item(self, line: str) -> FlatItem | None:
        values = line.split("|")
        if values[0] == "D":
            assert len(values) == _FIELDS, "a published line has the fields of its layout"
            return (
                values[_PAYMENT],
                int(values[_AMOUNT]),
                int(values[1]),
                values[_LEG],
                values[_ORDER],
                values[self._account],
            )
        self._is_whole = values[0] == "T"
        return None


_PAYMENT, _AMOUNT, _LEG, _ORDER = (_AT[name] for name in ("payment_id", "amount", "leg", "order_no"))
