#include "factor.h"

#include <sodium.h>

#include "clock.h"
#include "log.h"

/* Apps show a code in two groups. Those of the clock are digits; others have none of 0, 1, 8 and 9, but may
 * be of digits as well: how long they are tells them apart. */
static struct str without_blanks(struct str typed, char out[TOTP_DIGITS]) {
    size_t n = 0;
    for (size_t i = 0; i < typed.n; i++) {
        if (typed.p[i] == ' ') continue;
        if (n == TOTP_DIGITS) return (struct str){0};
        out[n++] = typed.p[i];
    }
    return (struct str){out, n};
}

int64_t factor_step(struct factor *f) {
    uint8_t secret[TOTP_SECRET];
    char digits[TOTP_DIGITS];
    struct str code = without_blanks(f->typed, digits);
    if (code.n != TOTP_DIGITS) return 0;
    int key = sealed_read(f->keys, &f->user, f->sealed, secret);
    if (key < 0) {
        log_warn("auth", "the secret of a second factor cannot be read: is one of LINK_KEYS missing?");
        return 0;
    }
    int64_t step = totp_step(secret, code, clock_wall_us() / 1000000);
    f->old = key > 0;
    if (f->old && step > 0) sealed_write(f->keys, &f->user, secret, f->sealed_anew);
    sodium_memzero(secret, sizeof secret);
    return step;
}

static enum factor_found find(struct factor *f) {
    if (!f->on) return FACTOR_NONE;
    if (f->typed.n == 0) return FACTOR_MISSING;
    f->step = factor_step(f);
    if (f->step > 0) return FACTOR_STEP;
    return recovery_hash(&f->user, f->typed, f->recovery) ? FACTOR_RECOVERY : FACTOR_WRONG;
}

bool factor_check(struct factor *f) {
    f->found = find(f);
    return f->found != FACTOR_MISSING && f->found != FACTOR_WRONG;
}

void factor_put(struct sql_params *item, const struct factor *f) {
    bool step = f->found == FACTOR_STEP;
    if (step)
        put_int(item, f->step);
    else
        put_null(item);
    if (f->found == FACTOR_RECOVERY)
        put_bytes(item, (struct str){(const char *)f->recovery, sizeof f->recovery});
    else
        put_null(item);
    if (step && f->old)
        put_bytes(item, (struct str){(const char *)f->sealed_anew, sizeof f->sealed_anew});
    else
        put_null(item);
}
