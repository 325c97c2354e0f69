"""Logging in by QR code: portals, the codes that they show, and the tokens that they are told."""
