#include "clock.h"

#include <limits.h>
#include <poll.h>

static const int64_t day_us = 86400 * INT64_C(1000000);
static const int64_t first_us = -62167219200 * INT64_C(1000000);    /* 0000-01-01 */
static const int64_t last_us = 253402300800 * INT64_C(1000000) - 1; /* the end of 9999-12-31 */

static void digits(char *out, int n, int64_t v) {
    for (int i = n - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
}

/* The civil date by arithmetic (gmtime_r takes a lock for the time zone). Years run from March, so that the
 * leap day is the last of a year; 400 years have 146,097 days. */
static void date(int64_t days, char *out) {
    /* From 0000-03-01 on: negative only in the first two months of year 0, which are in era -1. */
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    int64_t calendar_month = month < 10 ? month + 3 : month - 9;
    digits(out, 4, year + era * 400 + (calendar_month <= 2));
    digits(out + 5, 2, calendar_month);
    digits(out + 8, 2, day_of_year - (153 * month + 2) / 5 + 1);
}

void clock_format(int64_t unix_us, char out[CLOCK_TEXT]) {
    if (unix_us < first_us) unix_us = first_us;
    if (unix_us > last_us) unix_us = last_us;
    int64_t days = (unix_us - first_us) / day_us - 719528; /* floor, also before 1970 */
    int64_t ms = (unix_us - days * day_us) / 1000;
    date(days, out);
    digits(out + 11, 2, ms / 3600000);
    digits(out + 14, 2, ms / 60000 % 60);
    digits(out + 17, 2, ms / 1000 % 60);
    digits(out + 20, 3, ms % 1000);
    out[4] = out[7] = '-';
    out[10] = 'T';
    out[13] = out[16] = ':';
    out[19] = '.';
    out[23] = 'Z';
}

int clock_ms_until(int64_t until_us) {
    int64_t left_us = until_us - clock_mono_us();
    if (left_us <= 0) return 0;
    return left_us > INT_MAX * INT64_C(1000) ? INT_MAX : (int)((left_us + 999) / 1000);
}

bool clock_wait(int fd, int64_t until_us) {
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        int ms = clock_ms_until(until_us);
        if (poll(&p, 1, ms) == 1) return true;
        if (ms == 0) return false;
    }
}
