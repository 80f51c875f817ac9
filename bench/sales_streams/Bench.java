/* The same windows by Kafka Streams: what was placed, sold and cancelled of each ticket in each minute, exactly once.
 *
 *     Bench BROKERS SCHEMA-FILE STATE-DIRECTORY
 *
 * From the topic orders onto bench-sales: key ticket and minute, value the time of the newest change and five numbers, of 8 bytes each. No totals of a
 * ticket, and what comes twice counts twice: that it leaves out. */
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;

import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

class Bench {
    static final int AT = 0, PLACED = 8, SOLD = 16, CANCELLED = 24, EXPIRED = 32, REVENUE = 40, SIZE = 48;
    static GenericDatumReader<GenericRecord> reader;
    static BinaryDecoder decoder;

    static GenericRecord decode(byte[] value) {
        try {
            decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, decoder);
            return reader.read(null, decoder);
        } catch (Exception e) {
            return null;
        }
    }

    static void add(ByteBuffer b, int at, long n) {
        b.putLong(at, b.getLong(at) + n);
    }

    static byte[] count(byte[] event, byte[] before) {
        ByteBuffer b = ByteBuffer.wrap(before.clone());
        GenericRecord e = decode(event);
        String type = e.get("type").toString();
        if (type.equals("OrderCreated")) add(b, PLACED, 1);
        if (type.equals("OrderCompleted")) {
            add(b, SOLD, 1);
            add(b, REVENUE, (Long) e.get("price"));
        }
        if (type.equals("OrderCancelled")) {
            add(b, CANCELLED, 1);
            if ("expired".equals(String.valueOf(e.get("reason")))) add(b, EXPIRED, 1);
        }
        b.putLong(AT, Math.max(b.getLong(AT), (Long) e.get("occurredAt")));
        return b.array();
    }

    public static void main(String[] args) throws Exception {
        reader = new GenericDatumReader<>(new Schema.Parser().parse(Files.readString(Path.of(args[1]))));
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, "bench-sales");
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        p.put(StreamsConfig.STATE_DIR_CONFIG, args[2]);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2); // commits each 100 ms
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put("auto.offset.reset", "earliest");

        StreamsBuilder builder = new StreamsBuilder();
        builder.stream("orders", Consumed.with(Serdes.String(), Serdes.ByteArray())
                        .withTimestampExtractor((r, t) -> {
                            GenericRecord e = decode((byte[]) r.value());
                            return e == null ? -1 : (Long) e.get("occurredAt");
                        }))
                .filter((k, v) -> !decode(v).get("type").toString().equals("OrderUpdated"))
                .groupByKey()
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofDays(1)))
                .aggregate(() -> new byte[SIZE], (k, event, before) -> count(event, before),
                        Materialized.<String, byte[], WindowStore<Bytes, byte[]>>as("windows").withKeySerde(Serdes.String())
                                .withValueSerde(Serdes.ByteArray()).withRetention(Duration.ofDays(2)))
                .toStream((w, v) -> w.key() + "@" + w.window().start())
                .to("bench-sales", Produced.with(Serdes.String(), Serdes.ByteArray()));
        KafkaStreams streams = new KafkaStreams(builder.build(), p);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(5))));
        streams.start();
    }
}
