"""What goes over the wire about the runs in which channels show that they work."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.core.channel_conformance import CASES, Step, judge
from engine.core.ids import id_text
from engine.store.channel_conformance import ConformanceRun
from engine.web.wire_participants import Reason

CaseName = Literal["signed_request", "same_key", "new_key", "decline", "lost_answer", "busy"]
PracticeOrderNo = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}\Z")]


class PracticeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A practice order of one case: nothing is paid."""

    case: CaseName
    order_no: PracticeOrderNo
    amount: Annotated[int, Meta(ge=1, le=10_000_000_000)]


class PracticeView(msgspec.Struct, frozen=True, kw_only=True):
    """A practice order that was taken."""

    case: CaseName
    order_no: str
    amount: int
    outcome: Literal["paid"]


class ConclusionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the channel knows of a practice order."""

    case: CaseName
    order_no: PracticeOrderNo
    outcome: Literal["paid", "declined", "unknown"]


class ConformanceReportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have count what a channel has shown in a run of a sandbox; another operator has to approve it."""

    part: Literal["function", "security"]
    report_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    reason: Reason


class ConformanceCaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One case of a run."""

    case: str
    part: Literal["function", "security"]
    task: str
    status: Literal["open", "passed", "failed"]
    finding: str


class ConformanceRunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run and what it has shown so far."""

    id: str
    channel_id: str
    callback_url: str
    opened_at: datetime
    cases: tuple[ConformanceCaseView, ...]
    webhook_secret: str | UnsetType = UNSET


def run_view(run: ConformanceRun, steps: list[Step], *, secret: str | None = None) -> ConformanceRunView:
    """A run as its report; *secret* only in the answer that opens it."""
    verdicts = judge(steps)
    return ConformanceRunView(
        id=id_text(run.id),
        channel_id=id_text(run.channel),
        callback_url=run.callback_url,
        opened_at=run.opened_at,
        cases=tuple(
            ConformanceCaseView(
                case=case.name,
                part=case.part.value,
                task=case.task,
                status=_STATUSES[verdicts[case.name].is_passed],
                finding=verdicts[case.name].finding,
            )
            for case in CASES
        ),
        webhook_secret=secret if secret is not None else UNSET,
    )


_STATUSES: dict[bool | None, Literal["open", "passed", "failed"]] = {None: "open", True: "passed", False: "failed"}
