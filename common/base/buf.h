/* buf: bytes that grow. It belongs to the struct that it is embedded in; one thread at a time. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct buf {
    uint8_t *data;
    size_t len, cap;
};

void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes behind len */
void buf_add(struct buf *b, const void *bytes, size_t n);
/* They grow b as the text needs. The text is not terminated. */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_free(struct buf *b);

/* What it holds, until it changes. */
static inline struct str buf_str(const struct buf *b) {
    return (struct str){(const char *)b->data, b->len};
}
