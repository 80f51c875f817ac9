import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.DatumWriter;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;

/**
 * Bench NAME generic|specific SCHEMA RECORDS: nanoseconds to decode and to encode a record by Apache Avro, with everything that
 * can be used again used again (encoder, decoder, stream, the record decoded into). One kind of record a process, so that the
 * virtual machine compiles for just that. Prints what bench_avro.c prints.
 */
public class Bench {
    static final int ROUNDS = 300, PASSES = 100;
    static final long WARM_UP_NS = 4_000_000_000L;

    interface Pass {
        void run() throws IOException;
    }

    static Object sink; // what is made goes here, so that making it is not optimized away
    static long sum;

    public static void main(String[] args) throws Exception {
        Schema schema = new Schema.Parser().parse(new File(args[2]));
        boolean specific = args[1].equals("specific");
        List<byte[]> records = read(args[3]);
        if (specific) bench(args[0], schema, records, specificReader(schema), specificWriter(schema));
        else bench(args[0], schema, records, new GenericDatumReader<Object>(schema), new GenericDatumWriter<Object>(schema));
        if (sink == null || sum == 0) throw new IllegalStateException();
    }

    static DatumReader<Object> specificReader(Schema schema) throws Exception {
        Class<?> type = SpecificData.get().getClass(schema);
        return new SpecificDatumReader<>(schema, schema, SpecificData.getForClass(type));
    }

    static DatumWriter<Object> specificWriter(Schema schema) throws Exception {
        Class<?> type = SpecificData.get().getClass(schema);
        return new SpecificDatumWriter<>(schema, SpecificData.getForClass(type));
    }

    static List<byte[]> read(String path) throws IOException {
        List<byte[]> records = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(new FileInputStream(path))) {
            while (true) records.add(in.readNBytes(in.readInt()));
        } catch (EOFException end) {
            return records;
        }
    }

    static void bench(String name, Schema schema, List<byte[]> records, DatumReader<Object> reader, DatumWriter<Object> writer)
            throws IOException {
        BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(new byte[0], null);
        Object[] decoded = new Object[records.size()];
        ByteArrayOutputStream out = new ByteArrayOutputStream(1024);
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        for (int i = 0; i < decoded.length; i++) {
            decoded[i] = reader.read(null, DecoderFactory.get().binaryDecoder(records.get(i), decoder));
            out.reset();
            writer.write(decoded[i], encoder);
            encoder.flush();
            if (!Arrays.equals(out.toByteArray(), records.get(i))) throw new IllegalStateException("not the same bytes");
        }
        Object[] again = {null};
        Pass decode = () -> {
            for (byte[] record : records)
                again[0] = reader.read(again[0], DecoderFactory.get().binaryDecoder(record, decoder));
            sink = again[0];
        };
        Pass encode = () -> {
            for (Object record : decoded) {
                out.reset();
                writer.write(record, encoder);
                encoder.flush();
                sum += out.size();
            }
        };
        int bytes = records.stream().mapToInt(r -> r.length).sum() / records.size();
        measure(name + " " + schema.getName() + " " + bytes + " encode", encode, records.size());
        measure(name + " " + schema.getName() + " " + bytes + " decode", decode, records.size());
    }

    static void measure(String what, Pass pass, int records) throws IOException {
        for (long start = System.nanoTime(); System.nanoTime() - start < WARM_UP_NS; ) pass.run();
        double best = Double.MAX_VALUE;
        for (int round = 0; round < ROUNDS; round++) {
            long start = System.nanoTime();
            for (int i = 0; i < PASSES; i++) pass.run();
            best = Math.min(best, (System.nanoTime() - start) / (double) (PASSES * records));
        }
        System.out.printf("%s %.1f%n", what, best);
    }
}
