"""Over HTTP: the audit trail, and the keys of personal data."""
