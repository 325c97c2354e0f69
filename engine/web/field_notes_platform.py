"""Fields on the wire of everything around the payments, gathered."""

from typing import Final

from engine.web.applications.field_notes import APPLICATIONS_NAMES, APPLICATIONS_NOTES
from engine.web.audit.field_notes import AUDIT_NAMES, AUDIT_NOTES
from engine.web.channels.field_notes import CHANNELS_NAMES, CHANNELS_NOTES
from engine.web.consents.field_notes import CONSENTS_NAMES, CONSENTS_NOTES
from engine.web.field_note import FieldNote
from engine.web.identity.field_notes import IDENTITY_NAMES, IDENTITY_NOTES
from engine.web.inquiry.field_notes import INQUIRY_NAMES, INQUIRY_NOTES
from engine.web.login.field_notes import LOGIN_NAMES, LOGIN_NOTES
from engine.web.passkeys.field_notes import PASSKEYS_NAMES, PASSKEYS_NOTES
from engine.web.territory.field_notes import TERRITORY_NAMES, TERRITORY_NOTES

PLATFORM_NAMES: Final[dict[str, FieldNote]] = {
    **CHANNELS_NAMES,
    **CONSENTS_NAMES,
    **INQUIRY_NAMES,
    **IDENTITY_NAMES,
    **PASSKEYS_NAMES,
    **LOGIN_NAMES,
    **APPLICATIONS_NAMES,
    **AUDIT_NAMES,
    **TERRITORY_NAMES,
}
PLATFORM_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **CHANNELS_NOTES,
    **CONSENTS_NOTES,
    **INQUIRY_NOTES,
    **IDENTITY_NOTES,
    **PASSKEYS_NOTES,
    **LOGIN_NOTES,
    **APPLICATIONS_NOTES,
    **AUDIT_NOTES,
    **TERRITORY_NOTES,
}
