"""The client: signs, sends, and after a lost answer asks again with the same key."""

import base64
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec

from engine.client.signed_connection import ATTEMPTS_MAX, Refused, SignedConnection, Unreachable
from engine.web.wire import (
    CancelView,
    CardView,
    ManifestList,
    ManifestView,
    PaymentList,
    PaymentRequest,
    PaymentView,
    PositionList,
    RefundList,
    RefundView,
)
from engine.web.wire_bulk import TicketLine
from engine.web.wire_dry_run import DryRunView
from engine.web.wire_medical import MedicalBillRequest, QuoteView
from engine.web.wire_orders import OrderPreview, OrderView

__all__ = ["ATTEMPTS_MAX", "Download", "EngineClient", "Refused", "Unreachable"]


class Download(msgspec.Struct, frozen=True):
    """A file as pulled, and the manifest that it was checked against."""

    manifest: ManifestView
    content: bytes


class EngineClient(SignedConnection):
    """One caller's connection to the engine. Every method raises `Refused`, or `Unreachable` after its last attempt."""

    async def pay(  # the wire's own fields
        self,
        *,
        order_no: str,
        amount: int,
        scenario: str,
        terminal_id: str,
        pay_code: str | None = None,
        card_no: str | None = None,
        password_block: str | None = None,
        bill: MedicalBillRequest | None = None,
        quote_id: str | None = None,
        bill_no: str | None = None,
        capture: bool = True,
        hold_s: int | None = None,
        description: str | None = None,
        key: str | None = None,
    ) -> PaymentView:
        """Pay or reserve the amount, by a scanned code or a card that was read. Units: fen.

        Keep *key* with the order to ask again later. `awaiting_user` in the answer: `confirm` it, or `void` it.
        """
        optional = {
            "pay_code": pay_code,
            "card_no": card_no,
            "password_block": password_block,
            "bill": bill,
            "quote_id": quote_id,
            "bill_no": bill_no,
            "hold_s": hold_s,
            "description": description,
        }
        body = {
            "order_no": order_no,
            "amount": amount,
            "scenario": scenario,
            "terminal_id": terminal_id,
            "capture": capture,
            **_given(optional),
        }
        return await self.post("/v1/payments", body, PaymentView, key)

    async def preview(self, payment: PaymentRequest) -> DryRunView:
        """What a payment would do. Nothing is stored, and the code stays unused."""
        content = await self.request("POST", "/v1/payments?dry_run=true", body=msgspec.json.encode(payment))
        return msgspec.json.decode(content, type=DryRunView)

    async def quote(
        self,
        *,
        scenario: str,
        terminal_id: str,
        bill: MedicalBillRequest,
        pay_code: str | None = None,
        card_no: str | None = None,
        key: str | None = None,
    ) -> QuoteView:
        """What the insurance makes of a bill; paying by the quote's id holds the engine to it."""
        body = {"scenario": scenario, "terminal_id": terminal_id, "bill": bill}
        optional = {"pay_code": pay_code, "card_no": card_no}
        return await self.post("/v1/medical/quotes", body | _given(optional), QuoteView, key)

    async def confirm(self, payment_id: str, *, password_block: str, key: str | None = None) -> PaymentView:
        """Let a payment that waits for its cardholder go on; see `PasswordSealer` for the block."""
        body: dict[str, object] = {"password_block": password_block}
        return await self.post(f"/v1/payments/{payment_id}/confirmation", body, PaymentView, key)

    async def raise_deposit(
        self, payment_id: str, *, pay_code: str, amount: int, key: str | None = None
    ) -> PaymentView:
        """Put *amount* fen more on hold, by another code of the same cardholder."""
        body: dict[str, object] = {"pay_code": pay_code, "amount": amount}
        return await self.post(f"/v1/payments/{payment_id}/raise", body, PaymentView, key)

    async def capture(
        self,
        payment_id: str,
        *,
        amount: int | None = None,
        final: bool = True,
        bill: MedicalBillRequest | None = None,
        key: str | None = None,
    ) -> PaymentView:
        """Take what is on hold; all of it without *amount*, or what the final *bill* leaves to the cardholder."""
        body = {"final": final, **_given({"amount": amount, "bill": bill})}
        return await self.post(f"/v1/payments/{payment_id}/capture", body, PaymentView, key)

    async def void(self, payment_id: str, *, key: str | None = None) -> PaymentView:
        """Let go of a hold."""
        return await self.post(f"/v1/payments/{payment_id}/void", {}, PaymentView, key)

    async def refund(
        self,
        payment_id: str,
        *,
        refund_no: str,
        amount: int,
        reason: str | None = None,
        key: str | None = None,
    ) -> RefundView:
        """Give back some of what was captured."""
        body: dict[str, object] = {"refund_no": refund_no, "amount": amount}
        if reason is not None:
            body["reason"] = reason
        return await self.post(f"/v1/payments/{payment_id}/refunds", body, RefundView, key)

    async def cancel(self, order_no: str, *, key: str | None = None) -> CancelView:
        """Make sure that an order is not paid, whatever became of it."""
        return await self.post("/v1/payments/cancel", {"order_no": order_no}, CancelView, key)

    async def payment(self, payment_id: str, *, wait_s: int = 0) -> PaymentView:
        """A payment as it stands; with *wait_s* (up to 10), as soon as it is final, or after so many seconds."""
        query = {"wait": str(wait_s)} if wait_s else {}
        return await self.get(_with_query(f"/v1/payments/{payment_id}", query), PaymentView)

    async def payments(self, **filters: str) -> PaymentList:
        """One page of payments; filters are those of the wire, `cursor` and `limit` among them."""
        return await self.get(_with_query("/v1/payments", filters), PaymentList)

    async def refunds(self, payment_id: str, **filters: str) -> RefundList:
        """One page of a payment's refunds."""
        return await self.get(_with_query(f"/v1/payments/{payment_id}/refunds", filters), RefundList)

    async def show_order(
        self, *, order_no: str, amount: int, scenario: str, terminal_id: str, key: str | None = None
    ) -> OrderView:
        """Show an order to be scanned, or to be paid on its page. Units: fen."""
        body = {"order_no": order_no, "amount": amount, "scenario": scenario, "terminal_id": terminal_id}
        return await self.post("/v1/orders", body, OrderView, key)

    async def order(self, order_id: str) -> OrderView:
        """An order as it stands, with its payment."""
        return await self.get(f"/v1/orders/{order_id}", OrderView)

    async def look_up_order(self, code: str) -> OrderPreview:
        """What an app shows its cardholder of a scanned order."""
        return await self.get(_with_query("/v1/orders/lookup", {"code": code}), OrderPreview)

    async def pay_order(
        self, token: str, *, card_id: str, amount: int, password_block: str | None = None, key: str | None = None
    ) -> PaymentView:
        """Pay the order that an app has shown, with its cardholder's card. Units: fen."""
        body = {"card_id": card_id, "amount": amount, **_given({"password_block": password_block})}
        return await self.post(f"/v1/orders/{token}/payments", body, PaymentView, key)

    async def upload_tickets(self, lines: Iterable[bytes]) -> AsyncIterator[TicketLine]:
        """Bring in what gates have taken (`Gate.ticket_lines`), and get each line's answer, in order.

        Up to the first that is not `final` the gate may note them as brought in.
        """
        with tempfile.NamedTemporaryFile() as content:
            count = sum(1 for ticket in lines if content.write(ticket))
            content.flush()
            async for line in self.upload_lines("/v1/payments/bulk", Path(content.name), count=count):
                yield msgspec.json.decode(line, type=TicketLine)

    async def report_loss(self, card_id: str, *, key: str | None = None) -> CardView:
        """Stop a card."""
        return await self.post(f"/v1/cards/{card_id}/loss-report", {}, CardView, key)

    async def reinstate(self, card_id: str, *, key: str | None = None) -> CardView:
        """Let a card that was reported lost pay again."""
        return await self.post(f"/v1/cards/{card_id}/reinstate", {}, CardView, key)

    async def pay_code_image(self, card_id: str, *, shape: str = "qr") -> bytes:
        """The PNG that a phone in the sandbox shows: ``qr`` or ``code128``."""
        path = _with_query(f"/v1/cards/{card_id}/pay-code.png", {"as": shape})
        return await self.request("GET", path)

    async def clearing_files(self, **filters: str) -> AsyncIterator[ManifestView]:
        """Every manifest of this bank that fits the filters, newest first."""
        cursor: str | None = None
        while True:
            query = filters if cursor is None else {**filters, "cursor": cursor}
            page = await self.get(_with_query("/v1/clearing/files", query), ManifestList)
            for manifest in page.items:
                yield manifest
            cursor = page.next_cursor
            if cursor is None:
                return

    async def download(self, manifest: ManifestView) -> Download:
        """Pull a file and check its size and digest against its manifest.

        Raises:
            ValueError: what came is not what the manifest promises.
        """
        content = await self.request("GET", f"/v1/clearing/files/{quote(manifest.name)}")
        if len(content) != manifest.size or hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise ValueError(f"{manifest.name} is not what its manifest promises")
        return Download(manifest, content)

    async def positions(self, **filters: str) -> PositionList:
        """One page of this bank's net positions."""
        return await self.get(_with_query("/v1/clearing/positions", filters), PositionList)

    async def engine_keys(self) -> dict[str, bytes]:
        """The engine's public Ed25519 keys by key id, 32 bytes each."""
        answer = msgspec.json.decode(await self.request("GET", "/v1/keys"))
        return {key["kid"]: base64.urlsafe_b64decode(key["x"] + "=") for key in answer["keys"] if key["use"] == "sig"}


def _with_query(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
