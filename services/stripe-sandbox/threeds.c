#include "threeds.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "currency.h"
#include "intents.h"

/* A bank of no name: nobody is to take it for the shop, or for a real bank. */
#define PAGE_START                                                                                                                   \
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Test bank: 3-D Secure</title>\n"                        \
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"                                                     \
    "<meta name=\"color-scheme\" content=\"light dark\">\n<style>\n"                                                                 \
    ":root { color-scheme: light dark; --paper: #eef3f1; --card: #fff; --ink: #14231d; --accent: #0b5d45; --on: #fff; }\n"           \
    "@media (prefers-color-scheme: dark) { :root { --paper: #0f1613; --card: #18231e; --ink: #e9f2ee; --accent: #7fd6b5; "           \
    "--on: #08251b; } }\n"                                                                                                           \
    "body { margin: 0; padding: 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }\n"        \
    "main { box-sizing: border-box; max-width: 26rem; margin: 10vh auto 0; padding: 1.6rem; border-radius: 16px; "                   \
    "background: var(--card); box-shadow: 0 6px 24px rgb(0 0 0 / .12); }\n"                                                          \
    "h1 { margin: 0; font-size: 1.4rem; } .bank { margin: 0; font-weight: 700; color: var(--accent); }\n"                            \
    "form { display: grid; } button { min-height: 2.9rem; margin-top: .7rem; border: 2px solid var(--accent); border-radius: 10px; " \
    "background: var(--accent); color: var(--on); font: inherit; font-weight: 600; cursor: pointer; }\n"                             \
    "form + form button { background: none; color: var(--accent); } a { color: var(--accent); }\n"                                   \
    "</style></head>\n<body><main>\n<p class=\"bank\">Test bank</p>\n<h1>3-D Secure</h1>\n"
#define BACK      "<p><a href=\"/orders\">Back to the shop</a></p>\n"
#define PAGE_END  "</main></body></html>\n"
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
    char page[4096], amount[64];
    if (!str_eq(c->intent.status, STR("requires_action"))) {
        reply_page(c->rq, 200,
                   PAGE_START "<p>This payment does not wait for you any more.</p>\n" BACK PAGE_END);
        return;
    }
    amount_text(amount, sizeof amount, &c->intent);
    snprintf(page, sizeof page,
             PAGE_START "<p>Is this payment of %s yours? No money moves: this is a test.</p>\n"
                        "<form method=\"post\"><input type=\"hidden\" name=\"outcome\" value=\"complete\">"
                        "<button>Complete authentication</button></form>\n"
                        "<form method=\"post\"><input type=\"hidden\" name=\"outcome\" value=\"fail\">"
                        "<button>Fail authentication</button></form>\n" BACK PAGE_END,
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
        reply_page(
            c->rq, 200,
            PAGE_START
            "<p>Thank you. You may close this page: the shop's page shows how the payment ends.</p>\n" BACK
                PAGE_END);
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
