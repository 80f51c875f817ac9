#include "threeds.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "currency.h"
#include "intents.h"

#define PAGE_START                                                                                                 \
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Stripe sandbox: 3-D Secure</title>\n" \
    "<meta name=\"viewport\" content=\"width=device-width\"></head>\n"                                             \
    "<body style=\"font: 1rem sans-serif; margin: 4rem auto; max-width: 30rem\">\n<h1>3-D Secure</h1>\n"
#define PAGE_END  "</body></html>\n"
#define PAGE_TYPE "text/html; charset=utf-8"

static void reply_page(struct req *rq, int status, const char *text) {
    req_reply_raw(rq, status, PAGE_TYPE, str_of(text));
}

/* Digits and letters only, so nothing needs to be escaped. */
static void amount_text(char *out, size_t size, const struct intent *in) {
    char code[3];
    for (int i = 0; i < 3; i++)
        code[i] = (char)toupper((unsigned char)in->currency.p[i]);
    int decimals = currency_decimals((struct str){code, sizeof code});
    int64_t unit = decimals == 0 ? 1 : decimals == 3 ? 1000 : 100;
    int n = snprintf(out, size, "%lld", (long long)(in->amount / unit));
    if (decimals > 0) n += snprintf(out + n, size - (size_t)n, ".%0*d", decimals, (int)(in->amount % unit));
    snprintf(out + n, size - (size_t)n, " %.3s", code);
}

static void show(struct call *c) {
    char page[2048], amount[64];
    if (!str_eq(c->intent.status, STR("requires_action"))) {
        reply_page(c->rq, 200, PAGE_START "<p>This payment does not wait for you any more.</p>\n" PAGE_END);
        return;
    }
    amount_text(amount, sizeof amount, &c->intent);
    snprintf(page, sizeof page,
             PAGE_START "<p>A test payment of %s wants to know whether it is you.</p>\n"
                        "<form method=\"post\"><input type=\"hidden\" name=\"outcome\" value=\"complete\">"
                        "<button>Complete authentication</button></form>\n"
                        "<form method=\"post\"><input type=\"hidden\" name=\"outcome\" value=\"fail\">"
                        "<button>Fail authentication</button></form>\n" PAGE_END,
             amount);
    reply_page(c->rq, 200, page);
}

void get_threeds(struct req *rq) {
    call_page(rq, req_path_text(rq, 0), false, show, NULL);
}

/* Back to where the customer came from, told as by Stripe. */
static void go_back(struct call *c) {
    const struct intent *in = &c->intent;
    if (in->return_url.n == 0) {
        reply_page(c->rq, 200, PAGE_START "<p>Thank you. You may close this page.</p>\n" PAGE_END);
        return;
    }
    struct buf url = {0};
    bool query = memchr(in->return_url.p, '?', in->return_url.n) != NULL;
    char rest[256];
    int n = snprintf(rest, sizeof rest, "%cpayment_intent=%.*s&redirect_status=%s", query ? '&' : '?',
                     (int)in->id.n, in->id.p, c->passed ? "succeeded" : "failed");
    buf_add(&url, in->return_url.p, in->return_url.n);
    buf_add(&url, rest, (size_t)n);
    req_set_header(c->rq, "location", buf_str(&url));
    buf_free(&url);
    req_reply(c->rq, 303);
}

static void decide(struct call *c) {
    intent_authenticated(c, c->passed);
}

void post_threeds(struct req *rq) {
    struct form form;
    struct str outcome = {0};
    const char *error = form_read(req_raw_body(rq), &form, req_arena(rq));
    if (error == NULL) form_get(&form, "outcome", &outcome);
    bool passed = str_eq(outcome, STR("complete"));
    if (!passed && !str_eq(outcome, STR("fail"))) {
        req_fail(rq, 400, "outcome", "must be complete or fail");
        return;
    }
    call_page(rq, req_path_text(rq, 0), passed, decide, go_back);
}
