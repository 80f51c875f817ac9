/* What ThreadSanitizer may overlook: librdkafka, which is not built with it, counts references by atomic
 * instructions that it can't see, and destroys a lock, or frees memory, when the last is gone. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void) {
    return "race:librdkafka.so.1\n";
}
