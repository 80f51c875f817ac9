// java -cp 'JARS/*' examples/Minutes.java     How many orders were placed and paid in each minute, said when no more can come (topic watermarks).
// KAFKA_BROKERS and REGISTRY_API_URL say where; JARS: org.apache.kafka:kafka-clients, io.apicurio:apicurio-registry-serdes-avro-serde:2.6.13.Final.
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import java.time.*;
import java.util.*;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

class Minutes {
    public static void main(String[] arguments) {
        var consumer = new KafkaConsumer<String, GenericRecord>(Map.of("bootstrap.servers", System.getenv("KAFKA_BROKERS"),
            "isolation.level", "read_committed", "auto.offset.reset", "earliest", "enable.auto.commit", "false",
            "key.deserializer", StringDeserializer.class, "value.deserializer", AvroKafkaDeserializer.class,
            "apicurio.registry.url", System.getenv("REGISTRY_API_URL"), "apicurio.registry.as-confluent", "true", "apicurio.registry.use-id", "contentId"));
        var parts = new ArrayList<TopicPartition>();
        for (var topic : List.of("orders", "watermarks")) consumer.partitionsFor(topic).forEach(p -> parts.add(new TopicPartition(topic, p.partition())));
        consumer.assign(parts);
        var seen = new HashSet<String>();                             // an order's version that comes again is none
        var minutes = new TreeMap<Long, TreeMap<String, Integer>>();  // what happened how often
        var promises = new HashMap<TopicPartition, GenericRecord>();  // of each partition the next one, until orders is read up to its offset
        var complete = new HashMap<TopicPartition, Long>();           // and up to when it is complete
        while (true) {
            for (var record : consumer.poll(Duration.ofMillis(200))) {
                var event = record.value();
                var of = new TopicPartition("orders", record.partition());
                if (record.topic().equals("watermarks")) {
                    if (event.get("topic").toString().equals("orders")) promises.putIfAbsent(of, event);
                } else if (seen.add(event.get("id") + " " + event.get("version"))) {
                    minutes.computeIfAbsent((long) event.get("occurredAt") / 60000, m -> new TreeMap<>()).merge(event.get("type").toString(), 1, Integer::sum);
                }
            }
            promises.forEach((of, p) -> { if (consumer.position(of) >= (long) p.get("offset")) complete.put(of, (long) p.get("occurredAt")); });
            promises.keySet().removeIf(of -> consumer.position(of) >= (long) promises.get(of).get("offset"));
            while (complete.size() * 2 == parts.size() && !minutes.isEmpty() && minutes.firstKey() < Collections.min(complete.values()) / 60000)
                System.out.println(Instant.ofEpochSecond(minutes.firstKey() * 60) + " " + minutes.pollFirstEntry().getValue());
        }
    }
}
