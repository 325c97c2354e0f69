"""Channels at work: admission, what they may do, what stops them, and how they show that they work."""
