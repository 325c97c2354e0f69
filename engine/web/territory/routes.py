"""Routes of regions as a tree, activation figures, and the move of local platforms."""

from engine.web.route import Route
from engine.web.territory import platforms, tree

TERRITORY_ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/regions", tree.get_regions),
    Route("GET", "/v1/regions/{code}/activation", tree.get_activation),
    Route("GET", "/v1/regions/{code}/activation/history", tree.get_activation_history),
    Route("POST", "/v1/regions/{code}/local-platform", platforms.post_local_platform),
    Route("GET", "/v1/regions/{code}/local-platform", platforms.get_local_platform),
    Route("POST", "/v1/regions/{code}/local-platform/balances", platforms.post_balances, is_upload=True),
    Route("GET", "/v1/regions/{code}/local-platform/differences", platforms.get_differences),
    Route("POST", "/v1/regions/{code}/local-platform/openings", platforms.post_openings),
    Route("POST", "/v1/regions/{code}/local-platform/switch-on", platforms.post_region_on),
)
