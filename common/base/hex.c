#include "hex.h"

#define NO_DIGITS -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1

const int8_t hex_values[256] = {
    NO_DIGITS, NO_DIGITS, NO_DIGITS, /* up to '/' */
    0,         1,         2,         3,         4,         5,         6,         7,         8,
    9,         -1,        -1,        -1,        -1,        -1,        -1, /* '0' */
    -1,        10,        11,        12,        13,        14,        15,        -1,        -1,
    -1,        -1,        -1,        -1,        -1,        -1,        -1, /* '@', 'A' */
    NO_DIGITS, -1,        10,        11,        12,        13,        14,        15,        -1,
    -1,        -1,        -1,        -1,        -1,        -1,        -1,        -1, /* '`', 'a' */
    NO_DIGITS, NO_DIGITS, NO_DIGITS, NO_DIGITS, NO_DIGITS, NO_DIGITS, NO_DIGITS, NO_DIGITS, NO_DIGITS,
};
