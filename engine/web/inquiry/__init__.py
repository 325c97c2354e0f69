"""Over HTTP: inquiry: the seven topics."""
