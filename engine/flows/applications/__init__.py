"""Applications to offices and banks: forms, the course of one, its files, and who takes it."""
