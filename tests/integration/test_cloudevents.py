"""With CLOUDEVENTS each event is one of CloudEvents, too, as their own SDK reads it; without, which is the default, there is nothing of it."""
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from cloudevents.core.formats.base import Format

from support import Replica, wait_until

OURS = {"epoch", "position", "type", "traceparent"}
THEIRS = {"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"}


class AsItIs(Format):
    """The data are Avro, which is read by the registry."""

    def read(self, event_factory, data):
        raise AssertionError("no event is structured")

    def write(self, event):
        raise AssertionError("nothing is written")

    def read_data(self, body, data_content_type, attributes=None):
        return body

    def write_data(self, data, data_content_type):
        raise AssertionError("nothing is written")

    def get_content_type(self):
        return "application/cloudevents+json"


def records_of(stack, topic, key):
    return [r for r in stack.topic(topic).records() if r.key() == key.encode()]


def test_their_sdk_reads_each_event(stack, seller):
    with Replica(stack, "tickets", CLOUDEVENTS="true") as tickets:
        tickets.wait_ready()
        stack.supervisor("stop", "tickets")  # so that the replica publishes
        try:
            ticket = seller.post(f"{tickets.url}/api/tickets", json={"title": "A seat", "price": 20}).json()
            assert seller.put(f"{tickets.url}/api/tickets/{ticket['id']}", json={"title": "Another", "price": 21}).status_code == 200
            records = wait_until(lambda: len(found := records_of(stack, "tickets", ticket["id"])) == 2 and found, "both are published")
        finally:
            stack.supervisor("start", "tickets")
    stack.wait_ready("tickets")
    for record in records:
        headers, event = dict(record.headers()), stack.topic("tickets").decode(record)
        assert set(headers) - {"traceparent"} == (OURS | THEIRS) - {"traceparent"} and len(headers) == len(record.headers())
        told = from_kafka_event(KafkaMessage(headers=headers, key=record.key(), value=record.value()), AsItIs())
        assert (told.get_specversion(), told.get_source(), told.get_type()) == ("1.0", "/onsale/tickets", f"onsale.{event['type']}")
        assert told.get_id() == f"{ticket['id']}/{event['version']}" and told.get_datacontenttype() == "application/vnd.apache.avro+binary"
        assert told.get_time() == event["occurredAt"] and told.get_data() == record.value()
    assert [stack.topic("tickets").decode(r)["type"] for r in records] == ["TicketCreated", "TicketUpdated"]


def test_without_it_there_is_nothing_of_it(stack, seller):
    ticket = seller.list_ticket()
    [record] = wait_until(lambda: records_of(stack, "tickets", ticket["id"]), "it is published")
    assert {name for name, _ in record.headers()} <= OURS
