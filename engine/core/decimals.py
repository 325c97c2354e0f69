"""Numbers with a fixed count of decimals, kept as whole numbers of their last place."""

import re
from typing import Final

_DECIMAL: Final = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,9}))?", re.ASCII)


def scaled(text: str, places: int) -> int | None:
    """A number such as ``66.67`` in units of its *places*-th decimal; None if it is not written so, or more finely.

    No sign, no exponent, no leading zero, no point without a digit on both sides.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    whole, decimals = match[1], match[2] or ""
    if len(decimals) > places:
        return None
    return int(whole + decimals.ljust(places, "0"))


def unscaled(number: int, places: int, *, least: int = 0) -> str:
    """The number as `scaled` reads it, with no more decimals than it takes, and *least* at least."""
    assert number >= 0, "these numbers have no sign"
    whole, decimals = divmod(number, 10**places)
    shown = f"{decimals:0{places}d}".rstrip("0").ljust(least, "0")
    return f"{whole}.{shown}" if shown else str(whole)
