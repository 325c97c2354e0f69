"""Over HTTP: verification, admission by a shown code, and certification of eligibility."""
