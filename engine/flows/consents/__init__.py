"""Who may look at what of somebody's: consents of persons, grants of departments and of channels."""
