"""Fields on the wire of inquiry: the seven topics, where they come from, and what came of files."""

from typing import Final

from engine.core.inquiry import TOPICS
from engine.web.field_note import FieldNote, instant_note

_REGION: Final = FieldNote(
    "The region, GB/T 2260; with all below it that has no source of its own.", None, "^[0-9]{6}$"
)
_TOPIC: Final = FieldNote("The topic.")
_CERTIFICATE: Final = FieldNote("Number of the certificate.")

_RECORDS: Final[dict[tuple[str, str], FieldNote]] = {
    ("SocialInsurance", "insurance"): FieldNote("Which insurance."),
    ("SocialInsurance", "employer"): FieldNote("Through whom; of residents, the office."),
    ("SocialInsurance", "status"): FieldNote("The state of the enrolment."),
    ("SocialInsurance", "months_paid"): FieldNote("Months that were paid for, all together."),
    ("SocialInsurance", "base"): FieldNote("What contributions are worked out from, a month, in fen."),
    ("SocialInsurance", "account_balance"): FieldNote(
        "What is on the person's account, in fen; null if there is none."
    ),
    ("SocialInsurance", "as_of"): FieldNote("The day that it is true of.", "date"),
    ("EmploymentService", "registration_no"): FieldNote("Number of the registration."),
    ("EmploymentService", "status"): FieldNote("What the person is registered as."),
    ("EmploymentService", "registered_on"): FieldNote("When that was registered.", "date"),
    ("EmploymentService", "file_location"): FieldNote("Where the personnel file is; null if nowhere."),
    ("Employment", "employer"): FieldNote("The employer."),
    ("Employment", "employment_type"): FieldNote("Kind of employment."),
    ("Employment", "starts_on"): FieldNote("The first day of the contract.", "date"),
    ("Employment", "ends_on"): FieldNote("The last day of the contract; null if it has none.", "date"),
    ("VocationalTraining", "course"): FieldNote("The course."),
    ("VocationalTraining", "provider"): FieldNote("Who has held it."),
    ("VocationalTraining", "hours"): FieldNote("Its hours."),
    ("VocationalTraining", "starts_on"): FieldNote("Its first day.", "date"),
    ("VocationalTraining", "ends_on"): FieldNote("Its last day.", "date"),
    ("VocationalTraining", "subsidy"): FieldNote("What was paid towards it, in fen."),
    ("VocationalTraining", "certificate_no"): FieldNote("Number of its certificate; null if there is none."),
    ("Qualification", "name"): FieldNote("What the qualification is called."),
    ("Qualification", "level"): FieldNote("Its level; null if it has none."),
    ("Qualification", "certificate_no"): _CERTIFICATE,
    ("Qualification", "issued_on"): FieldNote("When it was issued.", "date"),
    ("Qualification", "issuer"): FieldNote("Who has issued it."),
    ("VocationalSkill", "occupation"): FieldNote("The occupation."),
    ("VocationalSkill", "level"): FieldNote("1, the highest, to 5."),
    ("VocationalSkill", "certificate_no"): _CERTIFICATE,
    ("VocationalSkill", "issued_on"): FieldNote("When it was issued.", "date"),
    ("VocationalSkill", "institution"): FieldNote("Who has examined the person."),
    ("GuaranteedLoan", "application_no"): FieldNote("Number of the application."),
    ("GuaranteedLoan", "amount"): FieldNote("How much is lent, in fen."),
    ("GuaranteedLoan", "interest_discount_bp"): FieldNote("What is paid of the interest, in hundredths of a percent."),
    ("GuaranteedLoan", "bank"): FieldNote("The bank that lends it."),
    ("GuaranteedLoan", "status"): FieldNote("How far it has come."),
    ("GuaranteedLoan", "due_on"): FieldNote("When it is to be paid back; null if that is not fixed.", "date"),
}

INQUIRY_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

INQUIRY_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **_RECORDS,
    **{
        (topic.record.__name__, "region"): FieldNote("The region that says so, GB/T 2260.", None, "^[0-9]{6}$")
        for topic in TOPICS.values()
    },
    ("SourceRequest", "region"): _REGION,
    ("SourceRequest", "base_url"): FieldNote(
        "Where it is asked: `POST {base_url}/inquiry/{topic}` with `id_number`, `cursor` and `limit`, signed by the"
        " engine; it answers as this list is answered."
    ),
    ("SourceRequest", "reason"): FieldNote("Why; stays on record."),
    ("SourceStopRequest", "region"): _REGION,
    ("SourceStopRequest", "reason"): FieldNote("Why; stays on record."),
    ("SourceView", "topic"): _TOPIC,
    ("SourceView", "region"): _REGION,
    ("SourceView", "base_url"): FieldNote("Where it is asked."),
    ("SourceView", "at"): instant_note("Since when, in business time."),
    ("SourceList", "items"): FieldNote("At most `limit` of them, in order of their numbers."),
    ("SourceStopped", "topic"): _TOPIC,
    ("SourceStopped", "region"): _REGION,
    ("SourceStopped", "status"): FieldNote("It is asked no more; what it has sent in counts."),
    ("RecordsReportView", "sha256"): FieldNote("SHA-256 of the file, in hexadecimal.", None, "^[0-9a-f]{64}$"),
    ("RecordsReportView", "topic"): _TOPIC,
    ("RecordsReportView", "lines"): FieldNote("How many records the file names."),
    ("RecordsReportView", "taken"): FieldNote("How many are there now as the file says."),
    ("RecordsReportView", "faulty"): FieldNote("How many lines are wrong."),
    ("RecordsReportView", "faults"): FieldNote("What is wrong, the first hundred faults in order of lines."),
    ("RecordLineFault", "line"): FieldNote("Line of the file; the first names the columns."),
    ("RecordLineFault", "field"): FieldNote("The column; `record` if it is the line."),
    ("RecordLineFault", "reason"): FieldNote("What is wrong; the value is not repeated."),
}
"""By struct and field, where the name alone means another thing."""
