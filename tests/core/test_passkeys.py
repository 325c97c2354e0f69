"""What one passkey is good for, and how two of it show."""

from datetime import UTC, datetime

import pytest

from engine.core.ids import CardId
from engine.core.passkeys import Passkey, PasskeyId, PasskeyStatus, is_copy

THEN = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kept", "shown", "expected"),
    [(0, 0, False), (0, 1, False), (1, 2, False), (7, 2**32 - 1, False), (1, 1, True), (2, 1, True), (1, 0, True)],
)
def test_count_that_was_passed_already_is_a_copys(kept: int, shown: int, expected: bool) -> None:
    assert is_copy(kept, shown) is expected


@pytest.mark.parametrize(
    ("copied_at", "revoked_at", "status"),
    [(None, None, "active"), (THEN, None, "copied"), (None, THEN, "revoked"), (THEN, THEN, "revoked")],
)
def test_status_is_what_has_happened_to_it(
    copied_at: datetime | None, revoked_at: datetime | None, status: PasskeyStatus
) -> None:
    passkey = Passkey(
        id=PasskeyId(bytes(16)),
        card=CardId(bytes(16)),
        credential_id=b"c",
        public_key=b"k",
        sign_count=0,
        label=b"l",
        registered_by=bytes(16),
        registered_at=THEN,
        used_at=None,
        copied_at=copied_at,
        revoked_at=revoked_at,
    )
    assert passkey.status == status
