#include "clock.h"

#include <limits.h>
#include <poll.h>
#include <string.h>

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

/* Takes n digits from the front of s; false: they are not there. */
static bool take(struct str *s, int n, int64_t *out) {
    *out = 0;
    if (s->n < (size_t)n) return false;
    for (int i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        *out = *out * 10 + (s->p[i] - '0');
    }
    *s = (struct str){s->p + n, s->n - (size_t)n};
    return true;
}

/* Takes one of these characters; 0: none of them is there. */
static char take_one(struct str *s, const char *of) {
    if (s->n == 0 || strchr(of, *s->p) == NULL) return 0;
    s->n--;
    return *s->p++;
}

static bool take_date(struct str *s, int64_t *days) {
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!take(s, 4, &year) || !take_one(s, "-") || !take(s, 2, &month) || !take_one(s, "-") ||
        !take(s, 2, &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] + (month == 2 && leap)) return false;
    /* The inverse of date(): years run from March, and 0000-03-01 is 719468 days before 1970. */
    int64_t from_march = month > 2 ? month - 3 : month + 9;
    int64_t y =
        (month > 2 ? year : year - 1) + 400; /* never negative: an era is added here and taken off below */
    *days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day - 1 - 146097 - 719468;
    return true;
}

/* A leap second counts as the second after it. Digits of a fraction beyond the sixth are passed over. */
static bool take_time(struct str *s, int64_t *us) {
    int64_t h, m, sec, digit;
    if (!take(s, 2, &h) || !take_one(s, ":") || !take(s, 2, &m) || !take_one(s, ":") || !take(s, 2, &sec) ||
        h > 23 || m > 59 || sec > 60)
        return false;
    *us = (h * 3600 + m * 60 + sec) * 1000000;
    if (!take_one(s, ".")) return true;
    if (!take(s, 1, &digit)) return false;
    int64_t unit = 100000;
    do {
        *us += digit * unit;
        unit /= 10;
    } while (take(s, 1, &digit));
    return true;
}

static bool take_offset(struct str *s, int64_t *us) {
    int64_t h, m;
    *us = 0;
    if (take_one(s, "Zz")) return true;
    char sign = take_one(s, "+-");
    if (sign == 0 || !take(s, 2, &h) || !take_one(s, ":") || !take(s, 2, &m) || h > 23 || m > 59)
        return false;
    *us = (h * 60 + m) * INT64_C(60000000) * (sign == '-' ? -1 : 1);
    return true;
}

bool clock_parse(struct str s, int64_t *unix_us) {
    int64_t days, us = 0, offset_us = 0;
    if (!take_date(&s, &days)) return false;
    if (s.n > 0 && (!take_one(&s, "Tt") || !take_time(&s, &us) || !take_offset(&s, &offset_us))) return false;
    *unix_us = days * day_us + us - offset_us;
    return s.n == 0;
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
