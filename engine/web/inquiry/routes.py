"""Routes of inquiries into what regions know of a person."""

from engine.core.channels import Product
from engine.core.inquiry import TOPICS
from engine.web.inquiry import sources
from engine.web.inquiry.handlers import inquiry_of
from engine.web.route import Route

INQUIRY_ROUTES: tuple[Route, ...] = (
    *(
        Route("GET", f"/v1/inquiry/{topic.name}", inquiry_of(topic), product=Product.INQUIRY)
        for topic in TOPICS.values()
    ),
    Route("POST", "/v1/inquiry/{topic}/import", sources.post_records, is_upload=True),
    Route("GET", "/v1/inquiry/{topic}/sources", sources.get_sources),
    Route("POST", "/v1/inquiry/{topic}/sources", sources.post_source),
    Route("POST", "/v1/inquiry/{topic}/sources/stop", sources.post_source_stop),
)
