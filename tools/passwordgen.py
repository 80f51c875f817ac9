#!/usr/bin/env python3
"""The most common passwords as a filter, and that filter as C.

    passwordgen.py make LIST.gz FILTER     of the first 100,000 of a list (the most common first) that have 8 characters or more
    passwordgen.py embed FILTER OUT        as OUT/common_passwords.c

The filter is a Bloom filter of 2^21 bits: a password sets 12 of them, whose numbers are pieces of its SHA-256, 21 bits each from the
left. Of passwords that are not in it 1 in 21,000 seems to be. Letters A to Z are as small ones. services/auth/passwords.c reads it.
"""
import gzip
import hashlib
import itertools
import pathlib
import sys
import unicodedata

import staticgen

MOST, SHORTEST, BITS, PIECES = 100_000, 8, 21, 12


def places(password):
    digest = int.from_bytes(hashlib.sha256(password.encode()).digest(), "big")
    return [digest >> 256 - BITS * (n + 1) & (1 << BITS) - 1 for n in range(PIECES)]


def small(password):
    return "".join(c.lower() if c.isascii() else c for c in unicodedata.normalize("NFC", password))


def common(text):
    """Each once, in their order."""
    some = (small(line) for line in text.splitlines())
    return itertools.islice(dict.fromkeys(password for password in some if len(password) >= SHORTEST), MOST)


def make(source, target):
    filter_ = bytearray((1 << BITS) // 8)
    for password in common(gzip.decompress(pathlib.Path(source).read_bytes()).decode(errors="ignore")):
        for place in places(password):
            filter_[place >> 3] |= 1 << (place & 7)
    pathlib.Path(target).write_bytes(filter_)


def embed(source, out):
    data = pathlib.Path(source).read_bytes()
    if len(data) != (1 << BITS) // 8:
        staticgen.fail(source, f"is no filter of 2^{BITS} bits")
    pathlib.Path(out, "common_passwords.c").write_text(f"""/* Made by tools/passwordgen.py of {pathlib.Path(source).name}. */
#include "passwords.h"

const unsigned char common_passwords[COMMON_PASSWORDS_BYTES] =
{staticgen.c_bytes(data)};
""")


if __name__ == "__main__":
    {"make": make, "embed": embed}[sys.argv[1]](*sys.argv[2:])
