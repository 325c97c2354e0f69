-- Anybody may have a login's code shown, and every link to the passkeys' page leaves a row: both go soon after their time.

CREATE INDEX login_unanswered ON login (expires_at) WHERE confirmed_at IS NULL;
COMMENT ON INDEX login_unanswered IS 'Logins to which nobody has said yes in time, which go an hour later, a few with each new one.';

CREATE INDEX passkey_link_expired ON passkey_link (expires_at);
COMMENT ON INDEX passkey_link_expired IS 'Links whose time is over, which go, a few with each new one.';
