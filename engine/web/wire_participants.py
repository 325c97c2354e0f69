"""What goes over the wire about participants and approvals: requests, answers, and one from the other."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.codes.public_keys import KEY_CHARS_MAX, Jwk
from engine.core.approvals import ApprovalKind, ApprovalMove, ApprovalOutcome, ApprovalState
from engine.core.benefits import HOSPITAL_LEVELS
from engine.core.participants import DELIVERY_PLACES_MAX, NAME_CHARS_MAX, TERMINALS_MAX
from engine.flows.participant_keys import OVERLAP_S_MAX
from engine.web.wire import ScenarioName, TerminalId

RegionCode = Annotated[str, Meta(pattern=r"^[0-9]{6}\Z")]
BankNumber = Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")]
ParticipantName = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Reason = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Code = Annotated[str, Meta(min_length=1, max_length=32)]
PayType = Annotated[str, Meta(pattern=r"^[0-9]{6}\Z")]
KeyText = Annotated[str, Meta(min_length=1, max_length=KEY_CHARS_MAX)]
Delivery = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=DELIVERY_PLACES_MAX)], ...], Meta(max_length=DELIVERY_PLACES_MAX)
]
OverlapSeconds = Annotated[int, Meta(ge=0, le=OVERLAP_S_MAX)]
Scenarios = Annotated[tuple[ScenarioName, ...], Meta(max_length=20)]
Terminals = Annotated[tuple[TerminalId, ...], Meta(max_length=TERMINALS_MAX)]
Level = Annotated[int, Meta(ge=HOSPITAL_LEVELS[0], le=HOSPITAL_LEVELS[-1])]
KindName = Literal["merchant", "bank", "agency", "operator"]
AlgorithmName = Literal["hmac-sha256", "ed25519", "ecdsa-p256-sha256"]
ItemName = Literal["premium", "exam_fee", "training_fee", "benefit"]
RoleName = Literal["operations", "review", "audit"]


class KeyGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a participant will sign with: a public key, or a secret that the engine makes."""

    alg: AlgorithmName
    public_key: KeyText | Jwk | None = None


class ParticipantRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring in a participant; another operator has to approve it."""

    kind: KindName
    code: Code
    name_zh: ParticipantName
    name_en: ParticipantName
    region: RegionCode
    bank: BankNumber | None = None
    scenarios: Scenarios = ()
    terminals: Terminals = ()
    level: Level = 0
    item: ItemName | None = None
    role: RoleName | None = None
    settlement_bank: bool = False
    delivery: Delivery = ()
    key: KeyGiven | None = None
    reason: Reason


class ChangeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change a participant; another operator has to approve it. What is not given stays."""

    name_zh: ParticipantName | None = None
    name_en: ParticipantName | None = None
    bank: BankNumber | None = None
    scenarios: Scenarios | None = None
    level: Level | None = None
    item: ItemName | None = None
    role: RoleName | None = None
    delivery: Delivery | None = None
    reason: Reason


class ReasonRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Do what the path says, for a reason that stays on record."""

    reason: Reason


class KeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a participant one more key; another operator has to approve it."""

    alg: AlgorithmName
    public_key: KeyText | Jwk | None = None
    reason: Reason


class RotationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a participant a key in place of all it has; another operator has to approve it. Units: seconds."""

    alg: AlgorithmName
    public_key: KeyText | Jwk | None = None
    overlap_s: OverlapSeconds
    reason: Reason


class TerminalsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Terminals of a merchant."""

    terminal_ids: Annotated[tuple[TerminalId, ...], Meta(min_length=1, max_length=TERMINALS_MAX)]


class FundRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a bank hold a pooling area's fund; another operator has to approve it."""

    region: RegionCode
    fund_pay_type: PayType
    bank: BankNumber
    reason: Reason


class DecisionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decide on what another operator has asked for."""

    note: Reason | None = None


class ParticipantView(msgspec.Struct, frozen=True, kw_only=True):
    """A participant. What its kind does not have is null."""

    id: str
    kind: KindName
    status: Literal["active", "suspended"]
    code: str
    name_zh: str
    name_en: str
    region: str
    bank: str | None
    scenarios: tuple[str, ...] | None
    level: int | None
    item: str | None
    role: str | None
    settlement_bank: bool | None
    delivery: tuple[int, ...] | None
    suspended_reason: str | None
    version: int
    registered_at: datetime | None
    changed_at: datetime | None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a participant has or had."""

    keyid: str
    alg: str
    status: Literal["active", "retiring", "suspended", "revoked"]
    added_at: datetime | None
    retires_at: datetime | None
    revoked_at: datetime | None


class TerminalView(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal of a merchant."""

    terminal_id: str


class FundView(msgspec.Struct, frozen=True, kw_only=True):
    """Which bank holds a pooling area's money of one pay type."""

    region: str
    fund_pay_type: str
    bank: str


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that was just made: Base64, shown in this answer only."""

    keyid: str
    alg: str
    key: str


class ApprovalEventView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what happened to a request."""

    at: datetime
    move: str
    operator_id: str | None
    note: str | None


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """What one operator asks for and another decides."""

    id: str
    kind: str
    status: Literal["pending", "approved", "rejected", "expired"]
    region: str
    subject: str
    payload: msgspec.Raw
    payload_sha256: str
    reason: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    outcome: Literal["under_way", "done", "refused"] | None
    result: msgspec.Raw  # null, or an object
    secret: SecretView | UnsetType = UNSET
    events: tuple[ApprovalEventView, ...] | UnsetType = UNSET


class ParticipantList(msgspec.Struct, frozen=True, kw_only=True):
    """Participants, newest first."""

    items: tuple[ParticipantView, ...]
    next_cursor: str | None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """A participant's keys, newest first."""

    items: tuple[KeyView, ...]
    next_cursor: str | None


class TerminalList(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's terminals, in their own order."""

    items: tuple[TerminalView, ...]
    next_cursor: str | None


class FundList(msgspec.Struct, frozen=True, kw_only=True):
    """Funds, by region and pay type."""

    items: tuple[FundView, ...]
    next_cursor: str | None


class ApprovalList(msgspec.Struct, frozen=True, kw_only=True):
    """Approvals, newest first."""

    items: tuple[ApprovalView, ...]
    next_cursor: str | None


APPROVAL_KIND_NAMES = {kind: kind.name.lower() for kind in ApprovalKind}
APPROVAL_STATE_NAMES = {state: state.name.lower() for state in ApprovalState}
APPROVAL_MOVE_NAMES = {move: move.name.lower() for move in ApprovalMove}
APPROVAL_OUTCOME_NAMES = {outcome: outcome.name.lower() for outcome in ApprovalOutcome}
