#include "status.h"

#include <stdarg.h>
#include <stdio.h>

const char *status_text(enum status st) {
    static const char *const texts[] = {
#define X(name, text) [name] = (text),
        STATUS_TABLE(X)
#undef X
    };
    return texts[st];
}

enum status why(struct why *w, enum status st, const char *fmt, ...) {
    if (w != NULL) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(w->text, sizeof w->text, fmt, ap);
        va_end(ap);
    }
    return st;
}
