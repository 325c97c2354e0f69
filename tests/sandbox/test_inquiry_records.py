"""What the sample city's region knows of its people: a record of each topic, sealed as those that are sent in."""

import msgspec

from engine.core.inquiry import TOPICS
from engine.sandbox.city import sample_city
from engine.sandbox.inquiry_records import records_of


def test_each_person_has_a_record_of_each_topic_that_can_be_read_back() -> None:
    for holder in sample_city().cardholders(20):
        for topic, record in zip(TOPICS.values(), records_of(holder), strict=True):
            assert msgspec.json.decode(msgspec.json.encode(record), type=topic.record) == record
