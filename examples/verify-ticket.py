#!/usr/bin/env python3
"""usage: verify-ticket.py KEYS CODE   Verifies the code of a ticket off line: KEYS is a copy of /.well-known/onsale-ticket-keys.json.
Prints what the code says; exit code 1: it is not good. Whether it was used or refunded only the door's server knows. pip install cryptography"""
import base64
import hashlib
import json
import sys
import uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HEAD, SIGNATURE = 56, 64  # bytes


def decoded(text):
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise ValueError("written in another way than ours")
    return raw


keys = {}  # by the first 6 bytes of the SHA-256 of the key
for jwk in json.load(open(sys.argv[1]))["keys"]:
    if (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519"):
        public = decoded(jwk["x"])
        keys[hashlib.sha256(public).digest()[:6]] = Ed25519PublicKey.from_public_bytes(public)
try:
    code = decoded(sys.argv[2].strip())
    if len(code) < HEAD + SIGNATURE or code[0] != 1 or len(code) != HEAD + code[55] + SIGNATURE:
        raise ValueError("not the form of one")
    if code[1:7] not in keys:
        raise ValueError("signed by an unknown key")
    keys[code[1:7]].verify(code[-SIGNATURE:], code[:-SIGNATURE])
except (ValueError, InvalidSignature) as reason:
    sys.exit(f"not a good code: {str(reason) or 'altered, the signature is wrong'}")
ticket, show, serial = (uuid.UUID(bytes=code[at:at + 16]) for at in (7, 23, 39))
print(json.dumps({"ticket": str(ticket), "show": str(show) if show.int else None, "serial": str(serial), "words": code[HEAD:-SIGNATURE].decode()}))
