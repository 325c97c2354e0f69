"""Over HTTP: passkeys."""
