"""Over HTTP: channels: admission, conformance, what they may do, and what stops them."""
