"""Which regions are asked themselves: two operators decide where persons' numbers may be sent, one can stop it."""

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import id_text
from engine.core.participants import Right, WrongField, is_region
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.flows.callbacks import Callbacks
from engine.store.connection import AnyConnection
from engine.store.inquiry import RegionalSource, drop_source, set_source
from engine.store.participants import load_clocks


class WantedSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a region is to be asked about a topic."""

    topic: str
    region: str
    base_url: str


async def wrong_base_url(callbacks: Callbacks, base_url: str) -> str | None:
    """Why a region cannot be asked there; the topic's path has to fit behind it."""
    if base_url.endswith("/") or "?" in base_url:
        return "no query, and no slash at its end"
    return await callbacks.why_not(base_url)


async def ask_source(asked: Asking, wanted: WantedSource, *, wrong_url: str | None, reason: str) -> Approval | NotDone:
    """Ask for a region to be asked over HTTP. *wrong_url* is why it cannot be asked at that address."""
    refused = asked.why_not(Right.REQUEST, int(wanted.region))
    if refused is not None:
        return refused
    if not is_region(int(wanted.region)):
        return NotDone(Refusal.REGION_UNKNOWN, (WrongField("region", "not a region of GB/T 2260"),))
    if wrong_url is not None:
        return NotDone(Refusal.CALLBACK_URL_NOT_ALLOWED, (WrongField("base_url", wrong_url),))
    return await ask_approval(
        asked,
        kind=ApprovalKind.INQUIRY_SOURCE,
        region=int(wanted.region),
        subject=f"{wanted.region} {wanted.topic}",
        payload=wanted,
        reason=reason,
    )


async def use_source(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of INQUIRY_SOURCE: inquiries about the region's persons go there from the commit on."""
    wanted = msgspec.json.decode(approval.payload, type=WantedSource)
    now = (await load_clocks(connection)).business
    source = RegionalSource(
        region=int(wanted.region),
        topic=wanted.topic,
        base_url=wanted.base_url,
        approval=id_text(approval.id),
        at=now,
    )
    await set_source(connection, source)
    return CarriedOut({"topic": wanted.topic, "region": wanted.region, "base_url": wanted.base_url})


async def stop_source(asked: Asking, topic: str, region: int) -> NotDone | None:
    """A region is not asked any more, at once and by one operator; what it has sent in counts."""
    refused = asked.why_not(Right.STOP, region)
    if refused is None:
        await drop_source(asked.connection, region, topic)
    return refused
