"""Routes of regions as a tree, activation figures, and the move of local platforms."""

from engine.web.route import Route

TERRITORY_ROUTES: tuple[Route, ...] = ()
