"""Over HTTP: applications to offices and banks."""
