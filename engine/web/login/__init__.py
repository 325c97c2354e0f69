"""Over HTTP: login by QR code, and OpenID Connect."""
