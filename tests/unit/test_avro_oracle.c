/* Our encoding against Apache's libavro: each reads what the other wrote, and they write the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "avro_random.h"
#include "events.h"
#include "libavro_peer.h"

enum { RECORD_MAX = PEER_RECORD, ROUNDS = 2000 };

static void both_write_the_same_bytes(void **state) {
    (void)state;
    struct dice d = {.state = 11};
    uint8_t bytes[RECORD_MAX];
    for (int t = 0; event_topics[t] != NULL; t++) {
        const struct avro_type *type = event_topics[t]->type;
        struct peer *p = peer_new(type);
        void *event = malloc(type->size);
        for (int i = 0; i < ROUNDS; i++) {
            memset(event, 0, type->size);
            roll_event(&d, type, event);
            size_t n = type->encode(event, bytes, sizeof bytes);
            assert_int_equal(peer_encode(p, event), n);
            assert_memory_equal(p->bytes, bytes, n);
        }
        free(event);
        peer_free(p);
    }
    arena_free(&d.arena);
}

/* Also of bytes that were changed, as long as we take them: libavro must then take them for the same. (Not
 * the other way about: libavro takes much that is malformed, and leaks memory of what it refuses.) */
static void both_read_the_same_values(void **state) {
    (void)state;
    struct dice d = {.state = 12};
    uint8_t bytes[RECORD_MAX];
    int changed = 0, topics = 0;
    for (int t = 0; event_topics[t] != NULL; t++) {
        const struct avro_type *type = event_topics[t]->type;
        struct peer *p = peer_new(type);
        topics++;
        void *event = malloc(type->size), *theirs = malloc(type->size);
        for (int i = 0; i < ROUNDS; i++) {
            memset(event, 0, type->size);
            roll_event(&d, type, event);
            size_t n = type->encode(event, bytes, sizeof bytes);
            if (i % 2 == 1) bytes[roll(&d) % n] ^= (uint8_t)(1 << roll(&d) % 8);
            if (type->decode(bytes, n, event) != ST_OK) {
                assert_int_equal(i % 2, 1);
                continue;
            }
            changed += i % 2;
            assert_true(peer_decode(p, bytes, n, theirs));
            assert_null(differing_field(type, event, theirs));
        }
        free(event);
        free(theirs);
        peer_free(p);
    }
    assert_in_range(changed, 500, topics * ROUNDS / 2); /* many changes only make another valid record */
    arena_free(&d.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_write_the_same_bytes),
        cmocka_unit_test(both_read_the_same_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
