"""Fields on the wire of regions as a tree, activation figures, and the move of local platforms."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

_REGION: Final = FieldNote("The region, GB/T 2260; 000000 is the whole country.", None, "^[0-9]{6}$")
_SHA256: Final = "^[0-9a-f]{64}$"
_NAME: Final = FieldNote("What the local platform is called.")
_CARDS: Final = FieldNote("How many cards the local platform declares.")
_BALANCE: Final = FieldNote("Fen that the local platform declares for all of them.")

TERRITORY_NAMES: Final[dict[str, FieldNote]] = {
    "parent": FieldNote("The region right above it; null for the country.", None, "^[0-9]{6}$"),
    "holders": FieldNote("How many have a card that is not cancelled."),
    "activated": FieldNote("How many of them have an electronic card: a channel has issued it, or it can pay."),
    "level_2": FieldNote("With how many of them one can pay."),
    "targets": FieldNote("The goals for the share, the smaller first."),
    "strangers": FieldNote("Lines whose card the register does not have in the region."),
    "silent": FieldNote("Cards of the region that no line names."),
    "prepared_at": instant_note("When its move began, in business time."),
    "opening_on": FieldNote("The business date on which its balances were let in; null before.", "date"),
    "proven_at": instant_note("When the journal was found to have all of it, in business time; null before."),
    "switched_on_at": instant_note("When the region was switched on, in business time; null before."),
    "is_taken": FieldNote("Whether the file counts from now on; not if a line is wrong."),
    "faulty": FieldNote("How many faults there are."),
    "faults": FieldNote("What is wrong, the first hundred faults in order of lines."),
}
"""By field, for every struct."""

TERRITORY_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("RegionView", "region"): _REGION,
    ("RegionView", "level"): FieldNote("How large it is."),
    ("RegionList", "items"): FieldNote("In order of codes, each followed by what lies in it."),
    ("TargetView", "percent"): FieldNote("The share of the holders, in per cent."),
    ("TargetView", "is_reached"): FieldNote("Whether so many have an electronic card."),
    ("TargetView", "missing"): FieldNote("How many more holders need one for that; 0 if it is reached."),
    ("ActivationView", "business_date"): FieldNote("The business date at whose beginning it was so.", "date"),
    ("ActivationView", "region"): _REGION,
    ("ActivationView", "share"): FieldNote("`activated` of `holders` in basis points, rounded down."),
    ("ActivationList", "items"): FieldNote("Its cities that have card holders, in order of codes."),
    ("ActivationList", "total"): FieldNote("What they add up to; null if there are none."),
    ("ActivationHistory", "items"): FieldNote("Business dates that were counted, newest first."),
    ("LocalPlatformRequest", "name"): _NAME,
    ("LocalPlatformRequest", "cards"): _CARDS,
    ("LocalPlatformRequest", "balance"): _BALANCE,
    ("LocalPlatformView", "id"): id_note("The local platform.", IdKind.LOCAL_PLATFORM),
    ("LocalPlatformView", "region"): FieldNote("Its city, GB/T 2260.", None, "^[0-9]{6}$"),
    ("LocalPlatformView", "name"): _NAME,
    ("LocalPlatformView", "state"): FieldNote("How far it has come."),
    ("LocalPlatformView", "cards"): _CARDS,
    ("LocalPlatformView", "balance"): _BALANCE,
    ("LocalPlatformView", "found"): FieldNote("What of it is here; null once its balances are let in."),
    ("LocalPlatformView", "is_equal"): FieldNote("Whether all of it is here, card by card; once let in, in the books."),
    ("LocalPlatformView", "sha256"): FieldNote(
        "SHA-256 of the file of balances that counts, in hexadecimal; null if none was taken.", None, _SHA256
    ),
    ("FoundView", "cards"): FieldNote("How many cards the register has in the region."),
    ("FoundView", "lines"): FieldNote("How many cards the file of balances names."),
    ("FoundView", "balance"): FieldNote("What its lines add up to, in fen."),
    ("BalancesView", "sha256"): FieldNote("SHA-256 of the file, in hexadecimal.", None, _SHA256),
    ("BalancesView", "lines"): FieldNote("How many lines are right."),
    ("BalancesView", "balance"): FieldNote("What they add up to, in fen."),
    ("BalanceLineFault", "line"): FieldNote("Line of the file; the first names the columns."),
    ("BalanceLineFault", "field"): FieldNote("The column; `record` if it is the line."),
    ("BalanceLineFault", "reason"): FieldNote("What is wrong; the value is not repeated."),
    ("PlatformDifferenceView", "kind"): FieldNote(
        "`card_missing`: a line whose card the register does not have in the region; `balance_missing`: a card that no"
        " line names; `posting_differs`: the journal has another amount than the line."
    ),
    ("PlatformDifferenceView", "line"): FieldNote("Line of the file; null if there is none."),
    ("PlatformDifferenceView", "card_id"): id_note("The card; null if there is none.", IdKind.CARD),
    ("PlatformDifferenceView", "balance"): FieldNote("Fen that the line says; null if there is none."),
    ("PlatformDifferenceView", "posted"): FieldNote("Fen that were posted; null while nothing is."),
    ("PlatformDifferenceList", "items"): FieldNote("By kind, lines in order of the file."),
}
"""By struct and field, where the name alone means another thing."""
