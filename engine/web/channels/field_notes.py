"""Fields on the wire of channels: admission, conformance, what they may do, and what stops them."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

CHANNELS_NAMES: Final[dict[str, FieldNote]] = {
    "channel_no": FieldNote("Number of the channel: ten digits.", None, "^[0-9]{10}$"),
    "owner_class": FieldNote("Who runs it: one of six classes."),
    "callback_urls": FieldNote("Where it takes notifications, of a run the first one; https only outside a sandbox."),
    "restore_condition": FieldNote("What has to be so before it may go on."),
    "webhook_secret": FieldNote("What notifications are signed with: in the answer that opens the run only."),
}
"""By field, for every struct."""

_REGION: Final = FieldNote("The region that answers for it, GB/T 2260; 000000: the whole country.", None, "^[0-9]{6}$")
_TERMS: Final[dict[str, FieldNote]] = {
    "contact": FieldNote("Whom to reach, and how; kept sealed, null for who need not know it."),
    "region": _REGION,
    "products": FieldNote("What it may do for cardholders; of a tier-2 channel no more than its tier-1 channel may."),
    "regions": FieldNote("Where it may, each with all below it, GB/T 2260; 000000: the whole country."),
    "addresses": FieldNote("Networks that it calls from, in CIDR notation; empty: any. The peer's address counts."),
}
_STOP: Final[dict[str, FieldNote]] = {
    "product": FieldNote("The product that is stopped; null for all."),
    "region": FieldNote("Where it is stopped, with all below it, GB/T 2260; null: everywhere.", None, "^[0-9]{6}$"),
    "reason": FieldNote("Why; stays on record."),
    "evidence": FieldNote("What has shown it: figures, reports, numbers of letters. No personal data."),
}

CHANNELS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **{
        (view, field): note
        for view in ("ChannelRequest", "ChannelTermsRequest", "ChannelView")
        for field, note in _TERMS.items()
    },
    **{("ListedChannelView", field): _TERMS[field] for field in ("products", "regions")},
    **{(view, field): note for view in ("StopRequest", "StopOrderView") for field, note in _STOP.items()},
    **{
        (view, "reason"): FieldNote("Why; stays on record.")
        for view in ("ChannelRequest", "ChannelTermsRequest", "ChannelMoveView")
    },
    ("ChannelRequest", "parent"): FieldNote(
        "Number of the tier-1 channel that it takes part through; leave it out for a tier-1 channel.",
        None,
        "^[0-9]{10}$",
    ),
    ("ChannelRequest", "key"): FieldNote("What it will sign with: a public key, or a secret that the engine makes."),
    ("ResumeRequest", "stop_order_id"): id_note(
        "The order about a part of the channel that is to be lifted; leave it out to let the whole channel go on.",
        IdKind.STOP_ORDER,
    ),
    ("ResumeRequest", "reason"): FieldNote("Why it may go on; stays on record."),
    ("ChannelView", "id"): id_note("The channel.", IdKind.CHANNEL),
    ("ChannelView", "status"): FieldNote("Where it stands. Only `live` and `rectifying` channels serve cardholders."),
    ("ChannelView", "tier"): FieldNote("1: takes part directly; 2: through a tier-1 channel."),
    ("ChannelView", "parent_id"): id_note("The tier-1 channel; null for one.", IdKind.CHANNEL),
    ("ChannelView", "version"): FieldNote("Counts its changes."),
    ("ChannelView", "applied_at"): instant_note("When it was applied for, in business time."),
    ("ChannelView", "changed_at"): instant_note("When it was changed last, in business time."),
    ("ChannelView", "keyid"): FieldNote("Name of its first key; only in the answer to the application."),
    ("ChannelView", "history"): FieldNote("How it came to stand there, newest first; where a single one is shown."),
    ("ChannelMoveView", "version"): FieldNote("The channel's version from then on."),
    ("ChannelMoveView", "operator_id"): id_note("Who did it, or asked for it; null: the engine.", IdKind.OPERATOR),
    ("ChannelMoveView", "at"): instant_note("When, in business time."),
    ("StopOrderView", "id"): id_note("The order.", IdKind.STOP_ORDER),
    ("StopOrderView", "kind"): FieldNote(
        "`rectify`: no new cardholders; `suspend`: nothing new at all; `terminate`: that, for good."
    ),
    ("StopOrderView", "operator_id"): id_note("Who has given it; null: a rule.", IdKind.OPERATOR),
    ("StopOrderView", "effective_at"): instant_note("From when on it is in force, in business time."),
    ("StopOrderView", "lifted_at"): instant_note("When it was lifted, in business time; null while it is in force."),
    ("StopOrderView", "lifted_by"): id_note("Who has asked for that; null while it is in force.", IdKind.OPERATOR),
    ("ChannelDirectory", "items"): FieldNote("At most `limit` of them, by number."),
    ("PracticeRequest", "case"): FieldNote("The case that it is for."),
    ("PracticeRequest", "order_no"): FieldNote("The channel's own number of the practice order."),
    ("PracticeRequest", "amount"): FieldNote("Fen. Nothing is paid."),
    ("PracticeView", "case"): FieldNote("The case that it is for."),
    ("PracticeView", "order_no"): FieldNote("The channel's own number of the practice order."),
    ("PracticeView", "amount"): FieldNote("Fen. Nothing was paid."),
    ("PracticeView", "outcome"): FieldNote("What became of it."),
    ("ConclusionRequest", "case"): FieldNote("The case that the order was sent for."),
    ("ConclusionRequest", "order_no"): FieldNote("The channel's own number of the practice order."),
    ("ConclusionRequest", "outcome"): FieldNote("What the channel would tell its cardholder."),
    ("ConformanceReportRequest", "part"): FieldNote("Which tests the report is about."),
    ("ConformanceReportRequest", "report_sha256"): FieldNote(
        "SHA-256 of the report's bytes, as the sandbox has answered it.", None, "^[0-9a-f]{64}$"
    ),
    ("ConformanceReportRequest", "reason"): FieldNote("Why; stays on record with the digest."),
    ("ConformanceRunView", "id"): id_note("The run.", IdKind.CONFORMANCE_RUN),
    ("ConformanceRunView", "channel_id"): id_note("The channel.", IdKind.CHANNEL),
    ("ConformanceRunView", "callback_url"): FieldNote("Where its notifications are sent."),
    ("ConformanceRunView", "opened_at"): instant_note("When it was opened, in business time."),
    ("ConformanceRunView", "cases"): FieldNote("Case by case, in the order in which they are best taken."),
    ("ConformanceCaseView", "case"): FieldNote("Name of the case."),
    ("ConformanceCaseView", "part"): FieldNote("Whether it belongs to the function or the security tests."),
    ("ConformanceCaseView", "task"): FieldNote("What the channel has to do."),
    ("ConformanceCaseView", "status"): FieldNote("`failed` is final for the run: open another one."),
    ("ConformanceCaseView", "finding"): FieldNote("What has been seen; empty while it is open."),
}
"""By struct and field, where the name alone means another thing."""
