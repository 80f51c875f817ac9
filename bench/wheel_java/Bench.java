import java.util.Arrays;
import java.util.HashMap;
import java.util.SplittableRandom;
import org.apache.kafka.server.util.timer.SystemTimer;
import org.apache.kafka.server.util.timer.TimerTask;

/**
 * Bench TIMERS PAIRS: what bench_wheel does (but for expiring), by Kafka's own timing wheel as its brokers use it. That wheel cancels
 * by reference; who knows an order only by its id needs a map beside it, so both are measured: with a map and without.
 */
public class Bench {
    static final int HOLD = 900_000, PARTITIONS = 12, ROUND = 1 << 16;

    /** An order, as much of it as the other side keeps. It is its own key, which spares the map an object. */
    static final class Order extends TimerTask {
        final long high, low, ticketHigh, ticketLow, offset;
        final int partition;

        Order(long delay, long high, long low, long offset) {
            super(delay);
            this.high = this.ticketHigh = high;
            this.low = this.ticketLow = low;
            this.offset = offset;
            this.partition = (int) (offset % PARTITIONS);
        }

        @Override public void run() { }

        @Override public int hashCode() {
            return Long.hashCode(high * 31 + low);
        }

        @Override public boolean equals(Object other) {
            return other instanceof Order order && order.high == high && order.low == low;
        }
    }

    static final SystemTimer timer = new SystemTimer("bench");
    static final SplittableRandom random = new SplittableRandom();
    static HashMap<Order, Order> byId;
    static long offset;

    static Order make() {
        return new Order(1 + random.nextInt(HOLD), random.nextLong(), random.nextLong(), offset++);
    }

    static void add(Order order) {
        timer.add(order);
        if (byId != null) byId.put(order, order);
    }

    static void cancel(Order like) {
        if (byId == null) like.cancel();
        else byId.remove(like).cancel();
    }

    static long used() throws InterruptedException {
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(100);
        }
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    static void report(String measure, double value) {
        System.out.printf("%s %.3f%n", measure, value);
    }

    public static void main(String[] args) throws Exception {
        int timers = Integer.parseInt(args[0]), pairs = Integer.parseInt(args[1]);
        if (args[2].equals("by-id")) byId = new HashMap<>(timers * 4 / 3 + 1);
        Order[] pending = new Order[timers];
        long before = used(), spent = 0;
        for (int from = 0; from < timers; from += ROUND) {
            int to = Math.min(timers, from + ROUND);
            for (int i = from; i < to; i++) pending[i] = make();
            long begin = System.nanoTime();
            for (int i = from; i < to; i++) add(pending[i]);
            spent += System.nanoTime() - begin;
        }
        report("fill_ns", (double) spent / timers);
        report("bytes_a_timer", (double) (used() - before) / timers);

        Order[] gone = new Order[ROUND], come = new Order[ROUND];
        double[] rounds = new double[pairs / ROUND];
        for (int round = 0; round < rounds.length; round++) {
            for (int i = 0; i < ROUND; i++) {
                int place = random.nextInt(timers);
                Order order = pending[place];
                gone[i] = byId == null ? order : new Order(0, order.high, order.low, 0);
                come[i] = pending[place] = make();
            }
            long begin = System.nanoTime();
            for (int i = 0; i < ROUND; i++) {
                add(come[i]);
                cancel(gone[i]);
            }
            rounds[round] = (double) (System.nanoTime() - begin) / ROUND;
        }
        Arrays.sort(rounds);
        report("pair_ns", rounds[rounds.length / 2]);
        if (timer.size() != timers) throw new IllegalStateException("not each is pending");
        System.exit(0);
    }
}
