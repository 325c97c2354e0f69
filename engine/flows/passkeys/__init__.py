"""What is done with passkeys: they are registered, and agree to things."""
