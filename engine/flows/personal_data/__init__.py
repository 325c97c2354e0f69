"""Personal data: their keys, what of them is handed out in the clear, and their end."""
