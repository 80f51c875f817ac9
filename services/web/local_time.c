#include "local_time.h"

#include <string.h>

#include "clock.h"
#include "views.h"
#include "zone.h"

enum { TO_MINUTES = 16, TO_SECONDS = 19 };

bool local_time_read(struct str text, int64_t *local_us) {
    char iso[CLOCK_TEXT + 1] = "0000-00-00T00:00:00.000Z", again[CLOCK_TEXT];
    if (text.n != TO_MINUTES && text.n != TO_SECONDS) return false;
    memcpy(iso, text.p, text.n);
    if (!view_time(iso, local_us)) return false;
    clock_format(*local_us, again);
    return memcmp(iso, again, CLOCK_TEXT) == 0; /* there is no 30 February */
}

struct str local_time_write(struct str zone, int64_t unix_us, struct arena *arena) {
    int64_t offset_s = 0;
    char text[CLOCK_TEXT];
    zone_offset(zone, unix_us, &offset_s);
    clock_format(unix_us + offset_s * 1000000, text);
    return arena_str(arena, (struct str){text, TO_MINUTES});
}
