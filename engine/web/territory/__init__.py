"""Over HTTP: regions as a tree, activation figures, and the move of local platforms."""
