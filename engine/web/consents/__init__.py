"""Over HTTP: consents of persons and grants of departments and channels."""
