"""An authenticator and a browser in one (WebAuthn, level 2), by the standard: so it is not libfido2 that says what libfido2 has to read."""
import base64
import hashlib
import json
import secrets
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40


def text_of(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def bytes_of(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class ES256:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        self.cose = (bytes.fromhex("a5010203262001215820") + numbers.x.to_bytes(32, "big") + bytes.fromhex("225820") + numbers.y.to_bytes(32, "big"))

    def sign(self, content):
        return self.key.sign(content, ec.ECDSA(hashes.SHA256()))


class EdDSA:
    def __init__(self):
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.cose = bytes.fromhex("a4010103272006215820") + self.key.public_key().public_bytes_raw()

    def sign(self, content):
        return self.key.sign(content)


class RS256:
    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        self.cose = bytes.fromhex("a401030339010020590100") + self.key.public_key().public_numbers().n.to_bytes(256, "big") + bytes.fromhex("2143010001")

    def sign(self, content):
        return self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())


KINDS = (ES256, EdDSA, RS256)


class Authenticator:
    """With one passkey. What it says is right, except for what is given to the calls."""

    def __init__(self, origin, kind=ES256):
        self.origin, self.host = origin, origin.split("//")[1].split(":")[0]
        self.key, self.credential, self.count = kind(), secrets.token_bytes(32), 0

    def _client_data(self, kind, challenge, origin=None, **more):
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin or self.origin, "crossOrigin": False, **more}).encode()

    def _data(self, flags, host=None):
        return hashlib.sha256((host or self.host).encode()).digest() + struct.pack(">BI", flags, self.count)

    def make(self, challenge, flags=PRESENT | VERIFIED, host=None, kind="webauthn.create", **client):
        """The body of what adds it, without a password."""
        data = self._data(flags | WITH_KEY, host) + bytes(16) + struct.pack(">H", len(self.credential)) + self.credential + self.key.cose
        return {"name": "my phone", "clientDataJSON": text_of(self._client_data(kind, challenge, **client)), "authenticatorData": text_of(data)}

    def sign(self, challenge, flags=PRESENT | VERIFIED, host=None, kind="webauthn.get", counts=1, **client):
        """The body of what signs in by it."""
        self.count += counts
        data, client_data = self._data(flags, host), self._client_data(kind, challenge, **client)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest())
        return {"credentialId": text_of(self.credential), "clientDataJSON": text_of(client_data), "authenticatorData": text_of(data),
                "signature": text_of(signature)}
