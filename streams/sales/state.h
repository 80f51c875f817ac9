/* state: the records of the topic sales-changelog.
 *
 * Not Avro: only this program reads them, and a window's list of 20-byte identities is what Avro is worst at.
 * Each value begins with the number of its format; a number that is not known is an error.
 *
 * - The key of a window is the ticket (16 bytes) and the minute (4). Its value: 1, currency (3), milliseconds
 *   of the newest change (2), revenue (8), then of each change counted: order (16), version and kind (4).
 *   Where the ticket is a place of a show: 2, show (16), and then as above.
 * - The same key without a value: nothing of the ticket is remembered any more.
 * - The key "p" has the value 1, offset (8), number (8): all records of orders before the offset are counted,
 *   and there are so many windows. With another number of windows, some are missing.
 *
 * Numbers are big endian.
 */
#pragma once

#include "buf.h"
#include "status.h"
#include "str.h"
#include "windows.h"

struct state_record {
    bool is_position, is_gone;
    int64_t position;
    uint64_t nwindows;    /* with a position */
    struct ticket ticket; /* of a window, or one that is gone: id, show and currency */
    struct window window; /* its counted are the reader's, until the next record */
};

enum { STATE_KEY_MOST = 20 };

size_t state_window_key(uint8_t key[STATE_KEY_MOST], const struct ticket *t, const struct window *v);
void state_window_value(struct buf *out, const struct ticket *t, const struct window *v);
size_t state_position_key(uint8_t key[STATE_KEY_MOST]);
void state_position_value(struct buf *out, int64_t position, uint64_t nwindows);

/* scratch holds the window's list. ST_OK or ST_INVALID. */
enum status state_read(struct str key, struct str value, struct buf *scratch, struct state_record *out,
                       struct why *w);
