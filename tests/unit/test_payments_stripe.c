/* What is asked of Stripe and what its answers mean; and against a server that stumbles, what is asked again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <semaphore.h>
#include <time.h>

#include "charge.h"
#include "clock.h"
#include "currency.h"
#include "declines.h"
#include "fake_http.h"
#include "log.h"
#include "stripe.h"
#include "webhook.h"

static struct stripe_ask ask_for(enum stripe_question question) {
    struct stripe_ask ask = {.question = question,
                             .attempt = 2,
                             .token = "pm_card_visa",
                             .amount = 2050,
                             .currency = "USD",
                             .intent = "pi_1",
                             .tries = 3,
                             .address = "203.0.113.7",
                             .email = "b@example.com"};
    assert_true(uuid_parse(STR("018f0000-0000-7000-8000-00000000000c"), &ask.user));
    assert_true(uuid_parse(STR("018f0000-0000-7000-8000-00000000000a"), &ask.order));
    assert_true(uuid_parse(STR("018f0000-0000-7000-8000-00000000000b"), &ask.charge));
    return ask;
}

#define ORDER  "018f0000-0000-7000-8000-00000000000a"
#define CHARGE "018f0000-0000-7000-8000-00000000000b"
#define WHO                                                                                                  \
    "&metadata%5BuserId%5D=018f0000-0000-7000-8000-00000000000c&metadata%5Bip_address%5D=203.0.113.7"        \
    "&metadata%5Bemail%5D=b%40example.com"

static void expect_request(const struct stripe_ask *ask, const char *method, const char *path,
                           const char *key, const char *body) {
    struct stripe_request r;
    stripe_request_make(ask, &r);
    assert_string_equal(r.method, method);
    assert_string_equal(r.path, path);
    assert_string_equal(r.idempotency_key, key);
    buf_add(&r.body, "", 1);
    assert_string_equal((char *)r.body.data, body);
    buf_free(&r.body);
}

static void requests(void **state) {
    (void)state;
    struct stripe_ask ask = ask_for(STRIPE_CREATE);
    expect_request(
        &ask, "POST", "/v1/payment_intents", "charge-" CHARGE "-2",
        "amount=2050&currency=usd&confirm=true&payment_method_types%5B0%5D=card&payment_method=pm_card_visa"
        "&metadata%5BorderId%5D=" ORDER "&metadata%5BchargeId%5D=" CHARGE "&metadata%5Battempt%5D=2" WHO
        "&expand%5B0%5D=payment_method");
    strcpy(ask.token, "tok_visa");
    strcpy(ask.currency, "JPY");
    expect_request(&ask, "POST", "/v1/payment_intents", "charge-" CHARGE "-2",
                   "amount=2050&currency=jpy&confirm=true&payment_method_types%5B0%5D=card"
                   "&payment_method_data%5Btype%5D=card&payment_method_data%5Bcard%5D%5Btoken%5D=tok_visa"
                   "&metadata%5BorderId%5D=" ORDER "&metadata%5BchargeId%5D=" CHARGE
                   "&metadata%5Battempt%5D=2" WHO "&expand%5B0%5D=payment_method");
    ask.address[0] = ask.email[0] = '\0';
    expect_request(&ask, "POST", "/v1/payment_intents", "charge-" CHARGE "-2",
                   "amount=2050&currency=jpy&confirm=true&payment_method_types%5B0%5D=card"
                   "&payment_method_data%5Btype%5D=card&payment_method_data%5Bcard%5D%5Btoken%5D=tok_visa"
                   "&metadata%5BorderId%5D=" ORDER "&metadata%5BchargeId%5D=" CHARGE
                   "&metadata%5Battempt%5D=2&metadata%5BuserId%5D=018f0000-0000-7000-8000-00000000000c"
                   "&expand%5B0%5D=payment_method");
    ask = ask_for(STRIPE_LOOK);
    expect_request(&ask, "GET", "/v1/payment_intents/pi_1?expand%5B0%5D=payment_method", "", "");
    ask = ask_for(STRIPE_CANCEL);
    expect_request(&ask, "POST", "/v1/payment_intents/pi_1/cancel", "", "");
    ask = ask_for(STRIPE_REFUND);
    expect_request(&ask, "POST", "/v1/refunds", "refund-3-pi_1",
                   "payment_intent=pi_1&metadata%5BorderId%5D=" ORDER "&metadata%5BchargeId%5D=" CHARGE);
    ask = ask_for(STRIPE_REFUNDS);
    expect_request(&ask, "GET", "/v1/refunds?payment_intent=pi_1&limit=100", "", "");
    ask = ask_for(STRIPE_FIND);
    expect_request(&ask, "GET",
                   "/v1/payment_intents/search?query=metadata%5B%27orderId%27%5D%3A%27" ORDER "%27&limit=100",
                   "", "");
}

static void currencies(void **state) {
    (void)state;
    assert_int_equal(currency_decimals(STR("USD")), 2);
    assert_int_equal(currency_decimals(STR("JPY")), 0);
    assert_int_equal(currency_decimals(STR("KWD")), 3);
    assert_int_equal(stripe_amount(1500, "JPY"), 1500);
    assert_int_equal(stripe_amount(1500, "USD"), 1500);
    assert_int_equal(stripe_amount(1500, "ISK"), 150000);
}

/* --- answers --- */

#define INTENT(status, more)                                                                                 \
    "{\"id\":\"pi_1\",\"client_secret\":\"pi_1_secret\",\"status\":\"" status "\"" more "}"
#define ERROR(type, more)      "{\"error\":{\"type\":\"" type "\"" more "}}"
#define CODE(code)             ",\"code\":\"" code "\""
#define OF(intent)             ",\"payment_intent\":" intent
#define META(order, attempt)   ",\"metadata\":{\"orderId\":\"" order "\",\"attempt\":\"" attempt "\"}"
#define LIST(items)            "{\"data\":[" items "]}"
#define REFUND(status, amount) "{\"status\":\"" status "\",\"amount\":" amount "}"
#define FAILED                 "{\"status\":\"failed\",\"amount\":2050,\"failure_reason\":\"why\"}"
#define LAST                   ",\"last_payment_error\":{\"code\":\"payment_intent_authentication_failure\"}"

static const struct {
    enum stripe_question question;
    int code;
    const char *body, *input, *reason; /* input NULL: not known */
    bool again;
} answers[] = {
    {STRIPE_CREATE, 200, INTENT("succeeded", ""), "succeeded", "", false},
    {STRIPE_CREATE, 200, INTENT("requires_action", ""), "requires_action", "", false},
    {STRIPE_CREATE, 200, INTENT("processing", ""), "processing", "", false},
    {STRIPE_CREATE, 200, INTENT("requires_capture", ""), NULL, "", false},
    {STRIPE_CREATE, 402,
     ERROR("card_error", CODE("card_declined") ",\"decline_code\":\"insufficient_funds\""), "declined",
     "insufficient_funds", false},
    {STRIPE_CREATE, 402, ERROR("card_error", CODE("expired_card")), "declined", "expired_card", false},
    {STRIPE_CREATE, 402, ERROR("card_error", ""), "declined", "card_error", false},
    {STRIPE_CREATE, 400,
     ERROR("invalid_request_error", CODE("resource_missing") ",\"param\":\"payment_method\""), "declined",
     "invalid_token", false},
    {STRIPE_CREATE, 400, ERROR("invalid_request_error", ",\"param\":\"payment_method_data[card][token]\""),
     "declined", "invalid_token", false},
    {STRIPE_CREATE, 400, ERROR("invalid_request_error", CODE("amount_too_small") ",\"param\":\"amount\""),
     "declined", "amount_too_small", false},
    {STRIPE_CREATE, 400, ERROR("invalid_request_error", ""), "declined", "invalid_request", false},
    {STRIPE_CREATE, 400, ERROR("idempotency_error", ""), NULL, "", false},
    {STRIPE_CREATE, 401, ERROR("invalid_request_error", ""), NULL, "", false},
    {STRIPE_CREATE, 403, ERROR("invalid_request_error", ""), NULL, "", false},
    {STRIPE_CREATE, 409, ERROR("invalid_request_error", CODE("idempotency_key_in_use")), NULL, "", true},
    {STRIPE_CREATE, 429, ERROR("invalid_request_error", CODE("rate_limit")), NULL, "", true},
    {STRIPE_CREATE, 500, ERROR("api_error", ""), NULL, "", true},
    {STRIPE_CREATE, 503, "<html>", NULL, "", true},
    {STRIPE_CREATE, 200, "<html>", NULL, "", false},
    {STRIPE_CREATE, 302, "", NULL, "", false},
    {STRIPE_LOOK, 200, INTENT("requires_action", ""), "requires_action", "", false},
    {STRIPE_LOOK, 200, INTENT("requires_payment_method", LAST), "declined",
     "payment_intent_authentication_failure", false},
    {STRIPE_LOOK, 200, INTENT("requires_payment_method", ",\"last_payment_error\":null"), NULL, "", false},
    {STRIPE_LOOK, 200, INTENT("canceled", ""), "canceled", "", false},
    {STRIPE_LOOK, 404, ERROR("invalid_request_error", CODE("resource_missing")), NULL, "", false},
    {STRIPE_CANCEL, 200, INTENT("canceled", ""), "canceled", "", false},
    {STRIPE_CANCEL, 400,
     ERROR("invalid_request_error", CODE("payment_intent_unexpected_state") OF(INTENT("succeeded", ""))),
     "succeeded", "", false},
    {STRIPE_CANCEL, 400,
     ERROR("invalid_request_error", CODE("payment_intent_unexpected_state") OF(INTENT("canceled", ""))),
     "canceled", "", false},
    {STRIPE_CANCEL, 400, ERROR("invalid_request_error", CODE("payment_intent_unexpected_state")), NULL, "",
     false},
    {STRIPE_REFUND, 200, "{\"id\":\"re_1\",\"status\":\"succeeded\"}", "refunded", "", false},
    {STRIPE_REFUND, 200, "{\"id\":\"re_1\",\"status\":\"pending\"}", "refund_pending", "", false},
    {STRIPE_REFUND, 200, "{\"id\":\"re_1\",\"status\":\"requires_action\"}", "refund_pending", "", false},
    {STRIPE_REFUND, 200, "{\"id\":\"re_1\",\"status\":\"failed\",\"failure_reason\":\"unknown\"}",
     "refund_failed", "unknown", false},
    {STRIPE_REFUND, 200, "{\"id\":\"re_1\",\"status\":\"canceled\"}", "refund_failed", "", false},
    {STRIPE_REFUND, 200, "{\"id\":\"re_1\",\"status\":\"new\"}", NULL, "", false},
    {STRIPE_REFUND, 400, ERROR("invalid_request_error", CODE("charge_already_refunded")), "refund_pending",
     "charge_already_refunded", false},
    {STRIPE_REFUND, 400, ERROR("invalid_request_error", CODE("balance_insufficient")), "refund_failed",
     "balance_insufficient", false},
    {STRIPE_REFUND, 402, ERROR("card_error", ""), "refund_failed", "refused", false},
    {STRIPE_REFUND, 400, ERROR("idempotency_error", ""), NULL, "", false},
    {STRIPE_REFUND, 401, ERROR("invalid_request_error", ""), NULL, "", false},
    {STRIPE_REFUND, 500, ERROR("api_error", ""), NULL, "", true},
    {STRIPE_REFUNDS, 200, LIST(""), "refund_failed", "", false},
    {STRIPE_REFUNDS, 200, LIST(REFUND("succeeded", "2050")), "refunded", "", false},
    {STRIPE_REFUNDS, 200, LIST(REFUND("succeeded", "50") "," REFUND("succeeded", "2000")), "refunded", "",
     false},
    {STRIPE_REFUNDS, 200, LIST(REFUND("pending", "50") "," REFUND("succeeded", "2000")), "refund_pending", "",
     false},
    {STRIPE_REFUNDS, 200, LIST(FAILED "," REFUND("pending", "2050")), "refund_pending", "why", false},
    {STRIPE_REFUNDS, 200, LIST(FAILED), "refund_failed", "why", false},
    {STRIPE_REFUNDS, 200, LIST(REFUND("succeeded", "2049")), "refund_failed", "", false},
    {STRIPE_REFUNDS, 200, "{}", NULL, "", false},
    {STRIPE_REFUNDS, 404, ERROR("invalid_request_error", CODE("resource_missing")), NULL, "", false},
    {STRIPE_FIND, 200, LIST(""), "absent", "", false},
    {STRIPE_FIND, 200, LIST(INTENT("succeeded", META(ORDER, "1"))), "absent", "", false},
    {STRIPE_FIND, 200, LIST(INTENT("succeeded", META(ORDER, "2"))), "succeeded", "", false},
    {STRIPE_FIND, 200,
     LIST(INTENT("canceled", META(ORDER, "2")) "," INTENT("succeeded", META(ORDER, "2")) "," INTENT(
         "requires_action", META(ORDER, "2"))),
     "succeeded", "", false},
    {STRIPE_FIND, 200, LIST(INTENT("requires_payment_method", META(ORDER, "2") LAST)), "declined",
     "payment_intent_authentication_failure", false},
    {STRIPE_FIND, 200, LIST(INTENT("requires_confirmation", META(ORDER, "2"))), "absent", "", false},
    {STRIPE_FIND, 200, "{}", NULL, "", false},
    {STRIPE_FIND, 400, ERROR("invalid_request_error", ""), NULL, "", false},
};

static void meanings(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct stripe_ask ask = ask_for(answers[i].question);
        struct stripe_result result;
        json_t *keep;
        stripe_answer_read(&ask, answers[i].code, str_of(answers[i].body), &result, &keep);
        const char *input = result.input == NULL ? "(not known)" : result.input;
        if (strcmp(input, answers[i].input == NULL ? "(not known)" : answers[i].input) != 0)
            fail_msg("%zu: %d %s: %s", i, answers[i].code, answers[i].body, input);
        assert_true(str_eq(result.reason, str_of(answers[i].reason)));
        assert_int_equal(result.again, answers[i].again);
        if (result.input == NULL) assert_non_null(result.error);
        json_decref(keep);
    }
}

static void what_the_buyer_needs(void **state) {
    (void)state;
    struct stripe_ask ask = ask_for(STRIPE_CREATE);
    struct stripe_result result;
    json_t *keep;
    stripe_answer_read(&ask, 200, STR(INTENT("requires_action", "")), &result, &keep);
    assert_true(str_eq(result.secret, STR("pi_1_secret")) && str_eq(result.intent, STR("pi_1")));
    json_decref(keep);
    stripe_answer_read(&ask, 200, STR(INTENT("succeeded", "")), &result, &keep);
    assert_int_equal(result.secret.n, 0);
    json_decref(keep);
}

#define METHOD(card) ",\"payment_method\":{\"id\":\"pm_1\",\"card\":" card "}"

static void which_card(void **state) {
    (void)state;
    static const struct {
        const char *body, *brand, *last4;
    } intents[] = {
        {INTENT("succeeded", METHOD("{\"brand\":\"visa\",\"last4\":\"4242\"}")), "visa", "4242"},
        {INTENT("requires_action", METHOD("{\"brand\":\"visa\",\"last4\":\"3184\"}")), "visa", "3184"},
        {INTENT("succeeded", METHOD("{\"brand\":\"visa\",\"last4\":\"12345\"}")), "", ""},
        {INTENT("succeeded", METHOD("{\"last4\":\"4242\"}")), "", ""},
        {INTENT("succeeded", METHOD("null")), "", ""},
        {INTENT("succeeded", ",\"payment_method\":\"pm_1\""), "", ""},
    };
    struct stripe_ask ask = ask_for(STRIPE_LOOK);
    for (size_t i = 0; i < sizeof intents / sizeof *intents; i++) {
        struct stripe_result result;
        json_t *keep;
        stripe_answer_read(&ask, 200, str_of(intents[i].body), &result, &keep);
        assert_true(str_eq(result.brand, str_of(intents[i].brand)));
        assert_true(str_eq(result.last4, str_of(intents[i].last4)));
        json_decref(keep);
    }
}

#define PRINT(text) "{\"fingerprint\":\"" text "\"}"
#define LONG        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What was declined tells its card's fingerprint; nothing else does. */
static void whose_number(void **state) {
    (void)state;
    static const struct {
        enum stripe_question question;
        int code;
        const char *body, *fingerprint;
    } told[] = {
        {STRIPE_CREATE, 402, ERROR("card_error", CODE("card_declined") METHOD(PRINT("Xt5"))), "Xt5"},
        {STRIPE_CREATE, 402, ERROR("card_error", CODE("card_declined") METHOD(PRINT(LONG))), LONG},
        {STRIPE_CREATE, 402, ERROR("card_error", CODE("card_declined") METHOD(PRINT(LONG "0"))), ""},
        {STRIPE_CREATE, 402, ERROR("card_error", CODE("card_declined") METHOD("{\"fingerprint\":7}")), ""},
        {STRIPE_CREATE, 402, ERROR("card_error", CODE("card_declined")), ""},
        {STRIPE_CREATE, 400, ERROR("invalid_request_error", METHOD(PRINT("Xt5"))), ""},
        {STRIPE_CREATE, 200, INTENT("succeeded", METHOD(PRINT("Xt5"))), ""},
        {STRIPE_CREATE, 200, INTENT("requires_action", METHOD(PRINT("Xt5"))), ""},
        {STRIPE_LOOK, 200,
         INTENT("requires_payment_method",
                ",\"last_payment_error\":{\"type\":\"card_error\"" METHOD(PRINT("Xt5")) "}"),
         "Xt5"},
        {STRIPE_LOOK, 200, INTENT("requires_payment_method", METHOD(PRINT("Xt5")) LAST), ""},
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct stripe_ask ask = ask_for(told[i].question);
        struct stripe_result result;
        json_t *keep;
        stripe_answer_read(&ask, told[i].code, str_of(told[i].body), &result, &keep);
        if (!str_eq(result.fingerprint, str_of(told[i].fingerprint)))
            fail_msg("%zu: %.*s", i, (int)result.fingerprint.n, result.fingerprint.p);
        json_decref(keep);
    }
}

/* --- webhooks --- */

#define DISPUTE(status)                                                                                      \
    "{\"id\":\"du_1\",\"payment_intent\":\"pi_1\",\"status\":\"" status "\",\"amount\":2050}"
#define EVENT(type, object) "{\"id\":\"evt_1\",\"type\":\"" type "\",\"data\":{\"object\":" object "}}"

static const struct {
    enum webhook_kind kind;
    const char *text, *input; /* input: of an attempt */
} webhooks[] = {
    {WEBHOOK_ATTEMPT, EVENT("payment_intent.succeeded", INTENT("succeeded", META(ORDER, "2"))), "succeeded"},
    {WEBHOOK_ATTEMPT,
     EVENT("payment_intent.payment_failed", INTENT("requires_payment_method", META(ORDER, "2") LAST)),
     "declined"},
    {WEBHOOK_OTHER, EVENT("payment_intent.created", INTENT("requires_payment_method", META(ORDER, "2") LAST)),
     NULL},
    {WEBHOOK_OTHER, EVENT("charge.refunded", "{\"id\":\"ch_1\"}"), NULL},
    {WEBHOOK_REFUND, EVENT("charge.refunded", "{\"payment_intent\":\"pi_1\"" META(ORDER, "2") "}"), NULL},
    {WEBHOOK_REFUND, EVENT("refund.failed", "{\"payment_intent\":\"pi_1\",\"metadata\":{}}"), NULL},
    {WEBHOOK_OTHER, EVENT("refund.updated", "{\"payment_intent\":null}"), NULL},
    {WEBHOOK_DISPUTE, EVENT("charge.dispute.created", DISPUTE("needs_response")), NULL},
    {WEBHOOK_DISPUTE, EVENT("charge.dispute.updated", DISPUTE("lost")), NULL},
    {WEBHOOK_DISPUTE, EVENT("charge.dispute.closed", DISPUTE("lost")), NULL},
    {WEBHOOK_DISPUTE, EVENT("charge.dispute.closed", DISPUTE("a word of later")), NULL},
    {WEBHOOK_OTHER, EVENT("charge.dispute.closed", "{\"id\":\"du_1\",\"status\":\"lost\"}"), NULL},
    {WEBHOOK_OTHER, EVENT("payment_intent.succeeded", INTENT("succeeded", "")), NULL},
    {WEBHOOK_OTHER, EVENT("payment_intent.succeeded", INTENT("succeeded", META("x", "2"))), NULL},
    {WEBHOOK_OTHER, EVENT("payment_intent.succeeded", INTENT("succeeded", META(ORDER, "2x"))), NULL},
    {WEBHOOK_OTHER, EVENT("payment_intent.succeeded", INTENT("succeeded", META(ORDER, "0"))), NULL},
    {WEBHOOK_OTHER, EVENT("payment_intent.succeeded", INTENT("succeeded", META(ORDER, "99999999999"))), NULL},
    {WEBHOOK_OTHER, EVENT("payment_intent.succeeded", INTENT("nonsense", META(ORDER, "2"))), NULL},
};

static void events(void **state) {
    (void)state;
    struct webhook event;
    for (size_t i = 0; i < sizeof webhooks / sizeof *webhooks; i++) {
        json_t *root = json_loads(webhooks[i].text, 0, NULL);
        assert_null(webhook_read(root, &event));
        assert_true(str_eq(event.id, STR("evt_1")));
        enum webhook_kind kind = webhooks[i].kind;
        assert_int_equal(event.kind, kind);
        if (kind == WEBHOOK_REFUND || kind == WEBHOOK_DISPUTE) assert_true(str_eq(event.intent, STR("pi_1")));
        if (kind == WEBHOOK_REFUND)
            assert_int_equal(event.has_order, strstr(webhooks[i].text, "orderId") != NULL);
        if (kind == WEBHOOK_DISPUTE)
            assert_int_equal(event.dispute.closed, strstr(webhooks[i].text, "lost") != NULL ||
                                                       strstr(webhooks[i].text, "dispute.closed") != NULL);
        if (kind == WEBHOOK_ATTEMPT) {
            assert_string_equal(event.result.input, webhooks[i].input);
            assert_int_equal(event.attempt, 2);
        }
        json_decref(root);
    }
    json_t *nothing = json_loads("{}", 0, NULL), *list = json_loads("[]", 0, NULL);
    assert_non_null(webhook_read(nothing, &event));
    assert_non_null(webhook_read(list, &event));
    assert_non_null(webhook_read(NULL, &event));
    json_decref(nothing);
    json_decref(list);
}

static void words(void **state) {
    (void)state;
    assert_non_null(strstr(decline_words(STR("processing_error")), "went wrong"));
    assert_string_equal(decline_words(STR("insufficient_funds")), decline_words(STR("generic_decline")));
    assert_string_equal(decline_words(STR("stolen_card")), decline_words(STR("something new")));
    assert_string_equal(decline_words((struct str){0}), decline_words(STR("generic_decline")));
}

/* --- asking again --- */

struct outcome {
    sem_t done;
    char input[32];
};

static void on_result(void *ctx, const struct stripe_ask *ask, const struct stripe_result *result) {
    struct outcome *o = ctx;
    assert_int_equal(ask->attempt, 2);
    snprintf(o->input, sizeof o->input, "%s", result->input == NULL ? "(not known)" : result->input);
    sem_post(&o->done);
}

#define ANSWER(code, body) "HTTP/1.1 " code "\r\nConnection: close\r\n\r\n" body
#define FINE               ANSWER("200 OK", INTENT("succeeded", ""))

static struct stripe_options options_of(const struct fake_http *server, char url[64], int timeout_ms) {
    snprintf(url, 64, "http://127.0.0.1:%d/", server->port);
    return (struct stripe_options){
        .url = url, .key = "sk_test_1", .timeout_ms = timeout_ms, .connections = 2};
}

static const char *ask(struct stripe *s, enum stripe_question question) {
    static struct outcome o;
    struct stripe_ask a = ask_for(question);
    sem_init(&o.done, 0, 0);
    stripe_ask(s, &a, on_result, &o);
    sem_wait(&o.done);
    assert_int_equal(stripe_waiting(s), 0);
    return o.input;
}

static const char *ask_server(struct fake_http *server, int timeout_ms, enum stripe_question question) {
    char url[64];
    struct stripe_options options = options_of(server, url, timeout_ms);
    struct stripe *s = stripe_start(&options);
    const char *input = ask(s, question);
    stripe_free(s);
    return input;
}

static void asks_again(void **state) {
    struct fake_http *server = *state;
    FAKE_TELL(server, ANSWER("500 Broken", ""), "", ANSWER("409 In Use", ERROR("invalid_request_error", "")),
              FINE);
    assert_string_equal(ask_server(server, 30000, STRIPE_CREATE), "succeeded");
    assert_int_equal(fake_asked(server), 4);
    assert_true(fake_got(server, "POST /v1/payment_intents HTTP/1.1\r\n"));
    assert_true(fake_got(server, "\r\nAuthorization: Bearer sk_test_1\r\n"));
    assert_true(fake_got(server, "\r\nIdempotency-Key: charge-" CHARGE "-2\r\n"));
    assert_true(fake_got(server, "\r\nStripe-Version: " STRIPE_VERSION "\r\n"));
    assert_true(fake_got(server, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
}

static void gives_up_after_four(void **state) {
    struct fake_http *server = *state;
    FAKE_TELL(server, ANSWER("500 Broken", ""));
    assert_string_equal(ask_server(server, 30000, STRIPE_CREATE), "(not known)");
    assert_int_equal(fake_asked(server), 4);
}

static void not_what_is_certain(void **state) {
    struct fake_http *server = *state;
    FAKE_TELL(server, ANSWER("402 Declined", ERROR("card_error", CODE("card_declined"))));
    assert_string_equal(ask_server(server, 30000, STRIPE_CREATE), "declined");
    FAKE_TELL(server, ANSWER("401 Unauthorized", ERROR("invalid_request_error", "")));
    assert_string_equal(ask_server(server, 30000, STRIPE_CREATE), "(not known)");
    assert_int_equal(fake_asked(server), 1);
}

static void no_longer_than_it_may_take(void **state) {
    struct fake_http *server = *state;
    int64_t begin = clock_mono_us();
    FAKE_TELL(server, FAKE_HANG);
    assert_string_equal(ask_server(server, 200, STRIPE_LOOK), "(not known)");
    FAKE_TELL(server,
              "HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_string_equal(ask_server(server, 5000, STRIPE_LOOK), "(not known)");
    assert_int_equal(fake_asked(server), 1);
    FAKE_TELL(server, /* more milliseconds than an int holds */
              "HTTP/1.1 429 Slow\r\nRetry-After: 4294969\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_string_equal(ask_server(server, 5000, STRIPE_LOOK), "(not known)");
    assert_int_equal(fake_asked(server), 1);
    FAKE_TELL(
        server, /* more seconds than an int holds */
        "HTTP/1.1 429 Slow\r\nRetry-After: 4294967297\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_string_equal(ask_server(server, 5000, STRIPE_LOOK), "(not known)");
    assert_int_equal(fake_asked(server), 1);
    assert_true(clock_mono_us() - begin < 5 * 1000 * 1000);
}

static void waits_as_long_as_it_is_told_to(void **state) {
    struct fake_http *server = *state;
    int64_t begin = clock_mono_us();
    FAKE_TELL(server, "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
              FINE);
    assert_string_equal(ask_server(server, 30000, STRIPE_LOOK), "succeeded");
    assert_true(clock_mono_us() - begin >= 1000 * 1000);
    assert_true(fake_got(server, "GET /v1/payment_intents/pi_1?expand%5B0%5D=payment_method HTTP/1.1\r\n"));
}

/* With a pace, what meets the limit is for whoever asked, and each repetition of the rest is counted. */
static void a_limit_is_the_askers(void **state) {
    struct fake_http *server = *state;
    char url[64];
    struct stripe_options options = options_of(server, url, 30000);
    options.paced = true;
    struct stripe *s = stripe_start(&options);
    FAKE_TELL(server, ANSWER("429 Slow", ERROR("invalid_request_error", CODE("rate_limit"))));
    assert_string_equal(ask(s, STRIPE_CREATE), "limited");
    assert_string_equal(ask(s, STRIPE_LOOK), "(not known)");
    assert_int_equal(fake_asked(server), 2);
    assert_int_equal(stripe_extra(s, true) + stripe_extra(s, false), 0);
    FAKE_TELL(server, ANSWER("429 In Use", ERROR("invalid_request_error", CODE("lock_timeout"))),
              ANSWER("500 Broken", ""), FINE);
    assert_string_equal(ask(s, STRIPE_CREATE), "succeeded");
    assert_int_equal(stripe_extra(s, true), 2);
    assert_int_equal(stripe_extra(s, true), 0);
    stripe_free(s);
}

/* --- which card it is, before it is charged --- */

static bool refuses(void *ctx, struct str fingerprint) {
    (void)ctx;
    return str_eq(fingerprint, STR("Xt5"));
}

static const char *ask_wary(struct fake_http *server, const char *token) {
    static struct outcome o;
    char url[64];
    struct stripe_options options = options_of(server, url, 30000);
    options.refuses = refuses;
    struct stripe *s = stripe_start(&options);
    struct stripe_ask a = ask_for(STRIPE_CREATE);
    a.wary = true;
    snprintf(a.token, sizeof a.token, "%s", token);
    sem_init(&o.done, 0, 0);
    stripe_ask(s, &a, on_result, &o);
    sem_wait(&o.done);
    stripe_free(s);
    return o.input;
}

static void a_refused_card_is_not_charged(void **state) {
    struct fake_http *server = *state;
    FAKE_TELL(server, ANSWER("200 OK", "{\"card\":" PRINT("Xt5") "}"), FINE);
    assert_string_equal(ask_wary(server, "pm_1"), "declined");
    assert_int_equal(fake_asked(server), 1);
    assert_true(fake_got(server, "GET /v1/payment_methods/pm_1 HTTP/1.1\r\n"));
    FAKE_TELL(server, ANSWER("200 OK", "{\"card\":" PRINT("Xt5") "}"), FINE);
    assert_string_equal(ask_wary(server, "tok_1"), "declined");
    assert_true(fake_got(server, "GET /v1/tokens/tok_1 HTTP/1.1\r\n"));
}

/* Also one of which Stripe tells nothing: what keeps a card from being looked at loses no payment. */
static void any_other_is_charged(void **state) {
    struct fake_http *server = *state;
    FAKE_TELL(server, ANSWER("200 OK", "{\"card\":" PRINT("another") "}"), FINE);
    assert_string_equal(ask_wary(server, "pm_1"), "succeeded");
    assert_int_equal(fake_asked(server), 2);
    FAKE_TELL(server, ANSWER("404 Missing", ERROR("invalid_request_error", CODE("resource_missing"))), FINE);
    assert_string_equal(ask_wary(server, "pm_1"), "succeeded");
    FAKE_TELL(server, ANSWER("500 Broken", ""), FINE);
    assert_string_equal(ask_wary(server, "pm_1"), "succeeded");
    assert_int_equal(fake_asked(server), 2);
    FAKE_TELL(server, ANSWER("200 OK", "<html>"), ANSWER("500 Broken", ""), FINE);
    assert_string_equal(ask_wary(server, "pm_1"), "succeeded");
    assert_int_equal(fake_asked(server), 3);
}

static void a_card_that_is_slow_to_be_told(void **state) {
    struct fake_http *server = *state;
    int64_t begin = clock_mono_us();
    FAKE_TELL(server, FAKE_HANG, FINE);
    assert_string_equal(ask_wary(server, "pm_1"), "succeeded");
    assert_true(clock_mono_us() - begin < 10 * 1000 * 1000);
}

static int set_up(void **state) {
    log_setup("test", LOG_ERROR);
    *state = fake_start();
    return 0;
}

static int tear_down(void **state) {
    fake_stop(*state);
    return 0;
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(currencies),
        cmocka_unit_test(meanings),
        cmocka_unit_test(what_the_buyer_needs),
        cmocka_unit_test(which_card),
        cmocka_unit_test(whose_number),
        cmocka_unit_test(events),
        cmocka_unit_test(words),
        SERVED(asks_again),
        SERVED(gives_up_after_four),
        SERVED(not_what_is_certain),
        SERVED(no_longer_than_it_may_take),
        SERVED(waits_as_long_as_it_is_told_to),
        SERVED(a_limit_is_the_askers),
        SERVED(a_refused_card_is_not_charged),
        SERVED(any_other_is_charged),
        SERVED(a_card_that_is_slow_to_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
