"""What goes over the wire about inquiries: a list a topic, and where regions are asked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from engine.core.callbacks import URL_CHARS_MAX
from engine.core.consents import Scope
from engine.core.inquiry import (
    Employment,
    EmploymentService,
    GuaranteedLoan,
    Qualification,
    SocialInsurance,
    VocationalSkill,
    VocationalTraining,
)
from engine.flows.inquiry.import_records import RecordsReport
from engine.store.inquiry import RegionalSource
from engine.web.wire_participants import Reason, RegionCode

UrlText = Annotated[str, Meta(min_length=1, max_length=URL_CHARS_MAX)]


class SocialInsuranceList(msgspec.Struct, frozen=True, kw_only=True):
    """Insurances that somebody is or was enrolled in, newest first."""

    items: tuple[SocialInsurance, ...]
    next_cursor: str | None


class EmploymentServiceList(msgspec.Struct, frozen=True, kw_only=True):
    """Registrations with the public employment and talent service, newest first."""

    items: tuple[EmploymentService, ...]
    next_cursor: str | None


class EmploymentList(msgspec.Struct, frozen=True, kw_only=True):
    """Contracts of employment, newest first."""

    items: tuple[Employment, ...]
    next_cursor: str | None


class VocationalTrainingList(msgspec.Struct, frozen=True, kw_only=True):
    """Courses, newest first."""

    items: tuple[VocationalTraining, ...]
    next_cursor: str | None


class QualificationList(msgspec.Struct, frozen=True, kw_only=True):
    """Professional qualifications, newest first."""

    items: tuple[Qualification, ...]
    next_cursor: str | None


class VocationalSkillList(msgspec.Struct, frozen=True, kw_only=True):
    """Certificates of vocational skills, newest first."""

    items: tuple[VocationalSkill, ...]
    next_cursor: str | None


class GuaranteedLoanList(msgspec.Struct, frozen=True, kw_only=True):
    """Guaranteed loans for starting a business, newest first."""

    items: tuple[GuaranteedLoan, ...]
    next_cursor: str | None


LISTS: Final[Mapping[Scope, type[msgspec.Struct]]] = {
    Scope.SOCIAL_INSURANCE: SocialInsuranceList,
    Scope.EMPLOYMENT_SERVICES: EmploymentServiceList,
    Scope.EMPLOYMENT: EmploymentList,
    Scope.VOCATIONAL_TRAINING: VocationalTrainingList,
    Scope.QUALIFICATIONS: QualificationList,
    Scope.SKILL_LEVELS: VocationalSkillList,
    Scope.GUARANTEED_LOANS: GuaranteedLoanList,
}
"""What a topic is answered with."""


class SourceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask a region itself from now on; another operator has to approve it."""

    region: RegionCode
    base_url: UrlText
    reason: Reason


class SourceStopRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask a region no more."""

    region: RegionCode
    reason: Reason


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """A region that is asked itself about a topic."""

    topic: str
    region: str
    base_url: str
    at: datetime


class SourceList(msgspec.Struct, frozen=True, kw_only=True):
    """Regions that are asked themselves, in order of their numbers."""

    items: tuple[SourceView, ...]
    next_cursor: str | None


class SourceStopped(msgspec.Struct, frozen=True, kw_only=True):
    """A region that is not asked any more."""

    topic: str
    region: str
    status: Literal["stopped"] = "stopped"


class RecordLineFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a line of a file, and where."""

    line: int
    field: str
    reason: str


class RecordsReportView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file of records."""

    sha256: str
    topic: str
    lines: int
    taken: int
    faulty: int
    faults: tuple[RecordLineFault, ...]


def source_view(source: RegionalSource) -> SourceView:
    """A source as the wire shows it."""
    return SourceView(topic=source.topic, region=f"{source.region:06d}", base_url=source.base_url, at=source.at)


def report_view(report: RecordsReport) -> RecordsReportView:
    """What came of a file as the wire shows it."""
    return RecordsReportView(
        sha256=report.sha256,
        topic=report.topic,
        lines=report.lines,
        taken=report.taken,
        faulty=report.faulty,
        faults=tuple(RecordLineFault(line=one.line, field=one.field, reason=one.reason) for one in report.faults),
    )
