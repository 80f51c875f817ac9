"""What analysts read of a stack that was healed: the warehouse has each event of each topic as a row, whatever happened to Connect, to its registry
and to its database. What Connect put aside while the registry was away is read again first, as connect/README.md tells."""
import processes
from common import Failed
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from nemesis import HEALING
from support import wait_until
from warehouse import TABLES, loaded, read_again, reached, told

ASIDE = "warehouse-dead-letters"
SUMS = {  # each of them what was paid for what is sold
    "orders of the warehouse": "select sum(price) from orders where status = 'complete'",
    "payments of the warehouse": "select sum(amount) from payments where status = 'succeeded'",
    "what the stream of sales counted": "select sum(revenue) from ticket_sales",
}


class Rows:
    def __init__(self, stack, state):
        self.stack, self.state = stack, state

    def agree(self):
        """When all topics are quiet. Returns how many rows there are, and how many records had been put aside."""
        wait_until(self.all_counted, "the stream of sales has read all orders", HEALING, pause=0.2)
        wait_until(self.applied, "the connectors run", HEALING, pause=1)
        for topic in TABLES:
            wait_until(lambda t=topic: self.all_read(t), f"Connect has read {topic}", HEALING, pause=1)
        aside = [dict(record.headers())["__connect.errors.topic"].decode() for record in self.stack.topic(ASIDE).records()]
        for topic in set(aside):
            read_again(self.stack, topic)
        return sum(map(self.is_there, TABLES)), len(aside)

    def all_counted(self):
        ends = self.stack.topic("orders").ends()
        asked = ConsumerGroupTopicPartitions("onsale-sales", [TopicPartition("orders", partition) for partition in ends])
        admin = AdminClient({"bootstrap.servers": self.stack.env["KAFKA_BROKERS"]})  # by a name: answers need it
        [answer] = admin.list_consumer_group_offsets([asked]).values()
        return all(found.offset >= ends[found.partition] or ends[found.partition] == 0 for found in answer.result().topic_partitions)

    def applied(self):
        """Starts what has failed again, too."""
        try:
            return processes.apply_sinks(self.state)
        except Failed:
            return None

    def all_read(self, topic):
        found, ends = reached(self.stack, topic), {}
        for record in self.stack.topic(topic).records():
            ends[record.partition()] = record.offset() + 1
        return all(found.get(partition, 0) >= end for partition, end in ends.items())

    def is_there(self, topic):
        """The number of rows, once they are those of the topic."""
        differs = None

        def same():
            nonlocal differs
            events, rows = told(self.stack, topic), loaded(self.ask, topic)
            differs = next(((key, events.get(key), rows.get(key)) for key in events.keys() | rows.keys() if events.get(key) != rows.get(key)), None)
            return differs is None and (len(rows),)
        try:
            return wait_until(same, f"{topic} is in the warehouse", HEALING, pause=1)[0]
        except AssertionError as timeout:
            raise AssertionError(f"{timeout}: {differs}") from None

    def ask(self, query, *args):
        return self.stack.sql("warehouse", query, *args)

    def sums(self):
        return {what: int(self.ask(query)[0][0] or 0) for what, query in SUMS.items()}
