// java -cp 'JARS/*' examples/streams/Sellers.java     What each seller has earned, as it happens: Kafka Streams over the topic orders-state.
// KAFKA_BROKERS and REGISTRY_API_URL say where; JARS: org.apache.kafka:kafka-streams, io.apicurio:apicurio-registry-serdes-avro-serde:2.6.13.Final.
import io.apicurio.registry.serde.avro.AvroSerde;
import java.util.*;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers;

class Sellers {
    public static void main(String[] arguments) {
        var text = Serdes.String();
        var orders = new AvroSerde<GenericRecord>();
        orders.configure(Map.of("apicurio.registry.url", System.getenv("REGISTRY_API_URL"), "apicurio.registry.as-confluent", "true",
            "apicurio.registry.use-id", "contentId"), false);
        var builder = new StreamsBuilder();
        builder.stream("orders-state", Consumed.with(text, orders))
            .mapValues(order -> order.get("status").toString().equals("complete")
                ? order.get("sellerId") + " " + order.get("currency") + "=" + order.get("price") : null)  // null: no row of the table
            .toTable(Materialized.with(text, text))  // a row an order: what comes again replaces its own
            .groupBy((order, sale) -> KeyValue.pair(sale.split("=")[0], Long.parseLong(sale.split("=")[1])), Grouped.with(text, Serdes.Long()))
            .reduce(Long::sum, (sum, before) -> sum - before, Materialized.with(text, Serdes.Long()))
            .toStream().foreach((seller, earned) -> System.out.println(seller + " " + earned));
        var settings = new Properties();
        settings.putAll(Map.of("application.id", "example-sellers", "bootstrap.servers", System.getenv("KAFKA_BROKERS"), "auto.offset.reset", "earliest",
            "processing.guarantee", "exactly_once_v2",  // reads committed records alone, and counts each once whatever happens to this program
            "session.timeout.ms", "6000",  // after a kill -9 what it had is given to the next one after so long
            "dsl.store.suppliers.class", InMemoryDslStoreSuppliers.class.getName()));  // comes back from Kafka; RocksDB would be a file
        var streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
