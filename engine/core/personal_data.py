"""Where sealed fields are."""

from typing import Final

import msgspec


class SealedColumn(msgspec.Struct, frozen=True):
    """One column of sealed texts. `place` is what they are bound to: the column's first name. Those of persons are
    sealed under the person's own key, all others under a field key.
    """

    table: str
    column: str
    place: str
    is_persons: bool = False


SEALED_COLUMNS: Final = (
    SealedColumn("person_key", "secret", "person_key.secret"),
    SealedColumn("person", "id_number", "cardholder.id_number", is_persons=True),
    SealedColumn("person", "name", "cardholder.name", is_persons=True),
    SealedColumn("person", "phone", "person.phone", is_persons=True),
    SealedColumn("card", "bank_account", "card.bank_account", is_persons=True),
    SealedColumn("physical_card", "number", "physical_card.number", is_persons=True),
    SealedColumn("application", "form", "application.form", is_persons=True),
    SealedColumn("application_step", "note", "application_step.note", is_persons=True),
    SealedColumn("application_attachment_part", "bytes", "application_attachment_part.bytes", is_persons=True),
    SealedColumn("caller_key", "secret", "caller_key.secret"),
    SealedColumn("import_line", "secret", "caller_key.secret"),
    SealedColumn("engine_key", "secret", "engine_key.secret"),
    SealedColumn("sftp_host_key", "secret", "sftp_host_key.secret"),
    SealedColumn("password_key", "secret", "password_key.secret"),
    SealedColumn("webhook_endpoint", "secret", "webhook_endpoint.secret"),
    SealedColumn("webhook_endpoint", "earlier_secret", "webhook_endpoint.secret"),
    SealedColumn("request_answer", "body", "request_answer.body"),
    SealedColumn("channel", "contact", "channel.contact"),
    SealedColumn("conformance_run", "secret", "conformance_run.secret"),
    SealedColumn("passkey", "label", "passkey.label"),
    SealedColumn("passkey_link", "label", "passkey_link.label"),
    SealedColumn("login_key", "secret", "login_key.secret"),
    SealedColumn("inquiry_record", "content", "inquiry_record.content"),
)
"""Every one there is: a new key takes the place of the earlier ones here."""
