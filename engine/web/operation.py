"""How the contract speaks of a route: who it is for, what comes in, what goes out, what it refuses."""

import enum
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from engine.core.refusals import Refusal
from engine.web.lists import LIMIT_DEFAULT, LIMIT_MAX

Schema = Mapping[str, object]


class Tag(enum.StrEnum):
    """Who a route is for."""

    PAYMENTS = "payments"
    CARDS = "cards"
    CLEARING = "clearing"
    PARTICIPANTS = "participants"
    APPROVALS = "approvals"
    AGENCIES = "agencies"
    NOTIFICATIONS = "notifications"
    RISK = "risk"
    CHANNELS = "channels"
    CONSENTS = "consents"
    INQUIRY = "inquiry"
    IDENTITY = "identity"
    APPLICATIONS = "applications"
    AUDIT = "audit"
    REGIONS = "regions"
    SANDBOX = "sandbox"
    OPEN = "open"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of the path or the query."""

    name: str
    text: str
    schema: Schema
    place: Literal["path", "query"] = "query"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One route: what comes in, what goes out, and what it refuses beside what every such route refuses.

    `response` is a struct, a schema where there is no struct, or None for a body that is no JSON.
    """

    tag: Tag
    summary: str = ""  # where the first line of the handler's docstring does not serve as one
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    request: type[msgspec.Struct] | None = None
    is_form: bool = False  # the body is a form, as others' standards have it
    upload_media_types: tuple[str, ...] = ()  # of a body that is a file
    status: int = 200
    response: type[msgspec.Struct] | Schema | None = None
    media_types: tuple[str, ...] = ("application/json",)
    is_file: bool = False  # answers ranges and conditional requests
    statuses: Mapping[int, str] = {}  # further answers without a problem document
    answers: Mapping[int, tuple[str, type[msgspec.Struct]]] = {}  # the same, with a body of their own kind
    refusals: tuple[Refusal, ...] = ()


def object_schema(**properties: Schema) -> Schema:
    """The schema of an object of these fields, all of which are there."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def text_schema(*values: str) -> Schema:
    """The schema of a text, or of one of these."""
    return {"type": "string", "enum": list(values)} if values else {"type": "string"}


PAGE: Final = (
    Parameter(
        name="limit",
        text="How many items at most.",
        schema={"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    ),
    Parameter(name="cursor", text="`next_cursor` of the page before.", schema=text_schema()),
)
BUSINESS_DATE: Final = Parameter(
    name="business_date",
    text="Only this business date.",
    schema={"type": "string", "format": "date"},
)
