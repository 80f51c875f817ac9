#include "backoff.h"

#include <stdlib.h>
#include <sys/random.h>

#include "clock.h"

int backoff_ms(int first_ms, int most_ms, int failures) {
    int ms = first_ms;
    for (int i = 0; i < failures && ms < most_ms; i++)
        ms = ms > most_ms / 2 ? most_ms : 2 * ms;
    uint32_t chance;
    if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance) abort();
    return ms - ms / 2 + (int)(chance % (uint32_t)(ms / 2 + 1));
}

int backoff_fail(struct backoff *b) {
    int ms = backoff_ms(b->first_ms, b->most_ms, b->failures++);
    b->until_us = clock_mono_us() + ms * INT64_C(1000);
    return ms;
}

bool backoff_over(const struct backoff *b) {
    return clock_mono_us() >= b->until_us;
}

void backoff_reset(struct backoff *b) {
    b->failures = 0;
    b->until_us = 0;
}
