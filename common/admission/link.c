#include "link.h"

#include <sodium.h>
#include <string.h>

static const char ABOUT[] = "onsale letter";
enum { ID = 16 };

static void prove(const struct admission_keys *keys, int key, const uint8_t id[ID],
                  uint8_t mac[ADMISSION_MAC]) {
    uint8_t about[sizeof ABOUT + ID];
    memcpy(about, ABOUT, sizeof ABOUT);
    memcpy(about + sizeof ABOUT, id, ID);
    admission_secret(keys, key, about, sizeof about, mac);
}

size_t link_write(const struct admission_keys *keys, const struct uuid *letter, char out[LINK_TEXT]) {
    uint8_t bytes[ID + ADMISSION_MAC];
    memcpy(bytes, letter->b, ID);
    prove(keys, 0, bytes, bytes + ID);
    return base64_encode(bytes, sizeof bytes, out);
}

bool link_read(const struct admission_keys *keys, struct str text, struct uuid *letter) {
    uint8_t bytes[ID + ADMISSION_MAC], mac[ADMISSION_MAC];
    size_t n;
    if (!base64_decode(text, bytes, sizeof bytes, &n) || n != sizeof bytes) return false;
    for (int key = 0; key < admission_keys_count(keys); key++) {
        prove(keys, key, bytes, mac);
        if (sodium_memcmp(mac, bytes + ID, sizeof mac) != 0) continue;
        memcpy(letter->b, bytes, ID);
        return true;
    }
    return false;
}
