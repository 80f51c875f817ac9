#include "totp.h"

#include <ctype.h>
#include <oath.h>
#include <sodium.h>
#include <stdlib.h>

#include "percent.h"

enum { SKEW = 1 /* steps that a clock may be off, and a code on its way */ };

bool totp_start(void) {
    return oath_init() == OATH_OK;
}

int64_t totp_step(const uint8_t secret[TOTP_SECRET], struct str code, int64_t now_s) {
    char digits[TOTP_DIGITS + 1] = {0};
    uint64_t step = 0;
    if (code.n != TOTP_DIGITS) return 0;
    for (size_t i = 0; i < code.n; i++) {
        if (!isdigit((unsigned char)code.p[i])) return 0;
        digits[i] = code.p[i];
    }
    int found = oath_totp_validate3((const char *)secret, TOTP_SECRET, now_s, TOTP_STEP_S, 0, SKEW, NULL,
                                    &step, digits);
    sodium_memzero(digits, sizeof digits);
    return found >= 0 ? (int64_t)step : 0;
}

void totp_text(const uint8_t secret[TOTP_SECRET], char out[TOTP_TEXT]) {
    char *text;
    size_t n;
    if (oath_base32_encode((const char *)secret, TOTP_SECRET, &text, &n) != OATH_OK || n != TOTP_TEXT - 1)
        abort(); /* out of memory */
    memcpy(out, text, TOTP_TEXT);
    sodium_memzero(text, n);
    free(text);
}

/* The name is for people: so is the issuer, which apps show with it. What is not said is as RFC 6238 has it.
 */
void totp_uri(struct buf *out, const char text[TOTP_TEXT], struct str account) {
    buf_printf(out, "otpauth://totp/Onsale:");
    percent_encode(out, account);
    buf_printf(out, "?secret=%s&issuer=Onsale", text);
}
