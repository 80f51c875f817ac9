import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.Semaphore;

import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.server.metrics.KafkaYammerMetrics;
import sun.misc.Signal;

/**
 * Brokers one after the other in one process, which has loaded and compiled its classes once. After SIGHUP the broker that runs ends; PROPERTIES.ended
 * says that it has. Then somebody may exchange what PROPERTIES name, and at the next SIGHUP a broker begins with it. For
 * java -javaagent:… kafka.Kafka PROPERTIES.
 */
public class Again {
    private static final Semaphore down = new Semaphore(0), begin = new Semaphore(0);
    private static volatile Runnable end;  // of the broker that runs
    private static volatile boolean ends;  // by SIGHUP: the process stays

    public static void premain(String nothing) {
        String properties = System.getProperty("sun.java.command").split(" ", 2)[1];
        Exit.setShutdownHookAdder((name, hook) -> end = hook);
        Runtime.getRuntime().addShutdownHook(new Thread(Again::end));
        Signal.handle(new Signal("HUP"), signal -> hangup());
        Exit.setExitProcedure((code, message) -> {
            if (!ends) {
                Runtime.getRuntime().exit(code);
            }
            next(properties);
        });
    }

    private static void end() {
        Runnable now = end;
        if (now != null) {
            now.run();
        }
    }

    private static void hangup() {
        if (ends) {
            begin.release();
        } else {
            ends = true;
            end();
            down.release();
        }
    }

    /** In the thread of the main function that has come to its end: the next one begins above it. */
    private static void next(String properties) {
        Path ended = Path.of(properties + ".ended");
        try {
            down.acquire();
            end = null;
            var metrics = KafkaYammerMetrics.defaultRegistry();  // it would keep what it measured
            Set.copyOf(metrics.allMetrics().keySet()).forEach(metrics::removeMetric);
            Files.createFile(ended);
            begin.acquire();
            Files.delete(ended);
        } catch (Exception e) {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
        ends = false;
        kafka.Kafka.main(new String[] {properties});
    }
}
