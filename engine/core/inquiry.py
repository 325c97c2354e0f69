"""What regions know of a person: the topics, a struct each, and when a region's own system is given a rest.

A new topic is one struct here with its line in `TOPICS`, a scope in `engine.core.consents`, and a list with notes on
its fields in `engine.web.inquiry`; the one query serves them all.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from engine.core.consents import Scope

TEXT_CHARS_MAX: Final = 100
AMOUNT_FEN_MAX: Final = 10**13

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
RegionCode = Annotated[str, Meta(pattern=r"^[0-9]{6}\Z")]
Fen = Annotated[int, Meta(ge=0, le=AMOUNT_FEN_MAX)]
Months = Annotated[int, Meta(ge=0, le=1_200)]
Hours = Annotated[int, Meta(ge=0, le=10_000)]
SkillGrade = Annotated[int, Meta(ge=1, le=5)]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]


class InquiryRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a region knows of somebody about one thing. Its repr shows nothing of the person."""

    region: RegionCode

    def __repr__(self) -> str:
        return f"{type(self).__name__}(region={self.region!r})"


class SocialInsurance(InquiryRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One insurance that somebody is or was enrolled in. Units: fen."""

    insurance: Literal["pension", "medical", "unemployment", "injury", "maternity"]
    employer: Text
    status: Literal["not_enrolled", "normal", "paused", "invalid", "terminated"]
    months_paid: Months
    base: Fen
    account_balance: Fen | None = None
    as_of: date


class EmploymentService(InquiryRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registration with the public employment and talent service."""

    registration_no: Text
    status: Literal["employed", "unemployed", "job_seeking"]
    registered_on: date
    file_location: Text | None = None


class Employment(InquiryRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One contract of employment."""

    employer: Text
    employment_type: Literal["full_time", "part_time", "dispatched", "flexible"]
    starts_on: date
    ends_on: date | None = None


class VocationalTraining(InquiryRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One course. Units: the subsidy in fen."""

    course: Text
    provider: Text
    hours: Hours
    starts_on: date
    ends_on: date
    subsidy: Fen
    certificate_no: Text | None = None


class Qualification(InquiryRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One professional qualification."""

    name: Text
    level: Text | None = None
    certificate_no: Text
    issued_on: date
    issuer: Text


class VocationalSkill(InquiryRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One certificate of a vocational skill; grade 1 is the highest."""

    occupation: Text
    level: SkillGrade
    certificate_no: Text
    issued_on: date
    institution: Text


class GuaranteedLoan(InquiryRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A guaranteed loan for starting a business. Units: fen; the discounted interest in hundredths of a percent."""

    application_no: Text
    amount: Fen
    interest_discount_bp: BasisPoints
    bank: Text
    status: Literal["applied", "guaranteed", "paid_out", "repaid", "refused"]
    due_on: date | None = None


class Topic(msgspec.Struct, frozen=True):
    """One topic. `key` are the fields that make a record the same one when it is sent again, within its region."""

    scope: Scope
    record: type[InquiryRecord]
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        """The topic as paths and columns name it."""
        return self.scope.value

    @property
    def columns(self) -> tuple[str, ...]:
        """What a line says, beside whom it is about."""
        return self.record.__struct_fields__


TOPICS: Final[Mapping[str, Topic]] = {
    topic.name: topic
    for topic in (
        Topic(Scope.SOCIAL_INSURANCE, SocialInsurance, ("insurance", "employer")),
        Topic(Scope.EMPLOYMENT_SERVICES, EmploymentService, ("registration_no",)),
        Topic(Scope.EMPLOYMENT, Employment, ("employer", "starts_on")),
        Topic(Scope.VOCATIONAL_TRAINING, VocationalTraining, ("course", "provider", "starts_on")),
        Topic(Scope.QUALIFICATIONS, Qualification, ("certificate_no",)),
        Topic(Scope.SKILL_LEVELS, VocationalSkill, ("certificate_no",)),
        Topic(Scope.GUARANTEED_LOANS, GuaranteedLoan, ("application_no",)),
    )
}

FAILURES_MAX: Final = 5
REST_S: Final = 30.0


class Breaker(msgspec.Struct, frozen=True):
    """How a region's system does: how often in a row it has failed, and since when it is given a rest."""

    failures: int = 0
    resting_since_s: float | None = None

    def may_call(self, now_s: float) -> bool:
        """False while it rests."""
        return self.resting_since_s is None or now_s - self.resting_since_s >= REST_S

    def called(self, now_s: float) -> "Breaker":
        """As it is while a call is under way: after a rest one call tries it, and the others go on waiting."""
        return self if self.resting_since_s is None else Breaker(self.failures, now_s)

    def answered(self) -> "Breaker":
        """As it is after an answer that was right."""
        return Breaker()

    def failed(self, now_s: float) -> "Breaker":
        """As it is after no answer, or a wrong one."""
        failures = self.failures + 1
        return Breaker(failures, now_s if failures >= FAILURES_MAX else None)
