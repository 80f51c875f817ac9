/* live_clients: no address and no session has more streams than it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live_clients.h"

static const struct uuid a_session = {{1, 9}}, another = {{1, 8}};

static struct live_client client(const char *address, const struct uuid *session) {
    struct address parsed;
    assert_true(address_parse(address, &parsed));
    return live_client_of(&parsed, session);
}

static enum live_admission enter(struct live_clients *clients, const char *address,
                                 const struct uuid *session) {
    struct live_client c = client(address, session);
    return live_clients_enter(clients, &c);
}

static void leave(struct live_clients *clients, const char *address, const struct uuid *session) {
    struct live_client c = client(address, session);
    live_clients_leave(clients, &c);
}

static void test_an_address_has_so_many(void **state) {
    (void)state;
    struct live_clients *clients = live_clients_new(2, 0);
    assert_int_equal(enter(clients, "192.0.2.1", NULL), LIVE_ADMITTED);
    assert_int_equal(enter(clients, "192.0.2.1", &a_session), LIVE_ADMITTED);
    assert_int_equal(enter(clients, "192.0.2.1", &another), LIVE_MANY_OF_ADDRESS);
    assert_int_equal(enter(clients, "192.0.2.2", &another), LIVE_ADMITTED);
    leave(clients, "192.0.2.1", NULL);
    assert_int_equal(enter(clients, "192.0.2.1", NULL), LIVE_ADMITTED);
    live_clients_free(clients);
}

static void test_an_ipv6_address_is_its_64(void **state) {
    (void)state;
    struct live_clients *clients = live_clients_new(1, 0);
    assert_int_equal(enter(clients, "2001:db8:1:2::1", NULL), LIVE_ADMITTED);
    assert_int_equal(enter(clients, "2001:db8:1:2:ffff::9", NULL), LIVE_MANY_OF_ADDRESS);
    assert_int_equal(enter(clients, "2001:db8:1:3::1", NULL), LIVE_ADMITTED);
    live_clients_free(clients);
}

static void test_a_session_has_so_many_wherever_it_is(void **state) {
    (void)state;
    struct live_clients *clients = live_clients_new(0, 2);
    assert_int_equal(enter(clients, "192.0.2.1", &a_session), LIVE_ADMITTED);
    assert_int_equal(enter(clients, "192.0.2.2", &a_session), LIVE_ADMITTED);
    assert_int_equal(enter(clients, "192.0.2.3", &a_session), LIVE_MANY_OF_SESSION);
    for (int i = 0; i < 10; i++)
        assert_int_equal(enter(clients, "192.0.2.3", NULL), LIVE_ADMITTED);
    live_clients_free(clients);
}

static void test_who_left_is_forgotten(void **state) {
    (void)state;
    struct live_clients *clients = live_clients_new(2, 2);
    enter(clients, "192.0.2.1", &a_session);
    enter(clients, "192.0.2.1", &a_session);
    assert_int_equal(enter(clients, "192.0.2.1", &a_session), LIVE_MANY_OF_SESSION);
    assert_int_equal(live_clients_count(clients), 2);
    leave(clients, "192.0.2.1", &a_session);
    leave(clients, "192.0.2.1", &a_session);
    assert_int_equal(live_clients_count(clients), 0);
    live_clients_free(clients);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_has_so_many),
        cmocka_unit_test(test_an_ipv6_address_is_its_64),
        cmocka_unit_test(test_a_session_has_so_many_wherever_it_is),
        cmocka_unit_test(test_who_left_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
