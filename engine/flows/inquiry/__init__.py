"""What regions know of a person: from files that they send, or from their own systems."""
