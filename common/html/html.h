/* html: writes values into a page, each escaped for its place. Any thread.
 *
 * Amounts and times are in the thread's language (language.h).
 *
 * The templates' C code (made by tools/templategen.py) calls these; which of them is called is decided by the
 * place, at build time. Nothing is allocated but what the page's own buffer grows by. Bytes that are no
 * UTF-8, and control characters that no text has, become U+FFFD. */
#pragma once

#include "buf.h"
#include "percent.h"
#include "str.h"
#include "uuid.h"

struct price {
    int64_t minor;
    char currency[4]; /* ISO 4217 */
};

/* Text, and attributes in quotes: & < > " ' are written as entities. */
void html_text(struct buf *out, struct str v);
/* A JSON string with its quotes, for <script type="application/json">: nothing in it can end the script. */
void html_json(struct buf *out, struct str v);
/* A whole URL as an attribute: "#" in place of one that is not html_own_path. */
void html_url(struct buf *out, struct str v);
/* A whole URL as an attribute, of http, https or an app for codes (otpauth://totp/): "#" in place of another.
 */
void html_link(struct buf *out, struct str v);
/* Whether a URL leads to this site and nowhere else: it starts with one slash, and has neither a backslash
 * nor what browsers take out before they look (controls, spaces). */
bool html_own_path(struct str url);

void html_int(struct buf *out, int64_t v);
void html_bool(struct buf *out, bool v); /* true, false */
void html_uuid(struct buf *out, const struct uuid *v);
void html_price(struct buf *out, const struct price *v);    /* $1,250.00, or CHF 1,250.00 */
void html_amount(struct buf *out, const struct price *v);   /* 1250.00 */
void html_currency(struct buf *out, const struct price *v); /* USD */
void html_time(struct buf *out, int64_t unix_us); /* 21 Nov 2026, 10:39 UTC; in the thread's language */
void html_local_time(struct buf *out, int64_t local_us);   /* the same without a zone */
void html_local_moment(struct buf *out, int64_t local_us); /* Sat 21 Nov 2026, 10:39 */
void html_day(struct buf *out, int64_t utc_us);            /* Sat 21 Nov 2026 */
void html_date(struct buf *out, int64_t utc_us);           /* 2026-11-21 */
void html_iso(struct buf *out, int64_t unix_us);           /* 2026-11-21T10:39:31.123Z */

#define html_literal(out, text) buf_add(out, text, sizeof(text) - 1)
