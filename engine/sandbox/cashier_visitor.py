"""Paying on an order's page, as a browser does: one form, and where it leads to."""

from urllib.parse import parse_qs, urlsplit

import aiohttp

from engine.client import Unreachable


async def pay_on_page(session: aiohttp.ClientSession, cashier_url: str, *, pay_code: str, amount: int) -> str | None:
    """Send the page's form. Returns the code of the refusal that the page then shows; None if it shows none.

    Units: fen.

    Raises:
        Unreachable: there is no such page, or no answer.
    """
    form = {"pay_code": pay_code, "amount": str(amount)}
    try:
        async with session.post(f"{cashier_url}/pay", data=form, allow_redirects=False) as response:
            status, location = response.status, response.headers.get("Location", "")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unreachable(type(error).__name__) from error
    if status != 303:
        raise Unreachable(f"status {status}")
    refused = parse_qs(urlsplit(location).query).get("refused")
    return refused[0] if refused is not None else None
