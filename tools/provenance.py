#!/usr/bin/env python3
"""usage: provenance.py sign KEY DIGEST BUILDER > onsale.intoto.jsonl
       provenance.py verify PUBLIC_KEY DIGEST < onsale.intoto.jsonl

What an image was made of, and that its maker says so: SLSA's provenance, as an in-toto statement in a signed envelope (DSSE), which other
verifiers read. DIGEST is the image's, sha256:…, as the registry has it; BUILDER a URI that says who builds it, and where. KEY is of P-256:

    openssl ecparam -genkey -name prime256v1 -noout -out onsale.key && openssl ec -in onsale.key -pubout -out onsale.pub

The tree must be as its last commit is. To verify takes openssl and no network; it prints the commit and the builder. Exit code 1: do not run it."""
import base64
import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT, PROVENANCE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:onsale:dockerfile:1"  # buildah bud --timestamp 0 of the Dockerfile, as it is in the commit
PINS = ("dev/h2o.sha256", "Dockerfile")  # what is fetched while it is built, with its hashes


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def hex_of(digest):
    if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        sys.exit(f"provenance: {digest} is no digest: sha256: and 64 hexadecimal digits, as the registry says it")
    return digest.removeprefix("sha256:")


def statement(digest, builder):
    """Of the tree that is checked out."""
    if git("status", "--porcelain"):
        sys.exit("provenance: the tree differs from its last commit: nobody could build this again")
    base, base_digest = re.search(r"^ARG BASE=(\w+)@sha256:(\w+)", (ROOT / "Dockerfile").read_text(), re.M).groups()
    commit = git("rev-parse", "HEAD")
    made_of = [{"uri": "git+onsale", "digest": {"gitCommit": commit}}, {"uri": f"pkg:docker/{base}", "digest": {"sha256": base_digest}}]
    made_of += [{"uri": f"file:{name}", "digest": {"sha256": hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}} for name in PINS]
    return {"_type": STATEMENT, "subject": [{"name": "onsale", "digest": {"sha256": hex_of(digest)}}], "predicateType": PROVENANCE,
            "predicate": {
                "buildDefinition": {"buildType": BUILD_TYPE, "externalParameters": {"commit": commit}, "resolvedDependencies": made_of},
                "runDetails": {"builder": {"id": builder},
                               "metadata": {"finishedOn": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}}}}


def signed_text(payload):
    """What DSSE has one sign: the type and the content, each with its length."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def openssl(*words, text):
    return subprocess.run(["openssl", "dgst", "-sha256", *words], input=text, capture_output=True)


def sign(key, digest, builder):
    payload = json.dumps(statement(digest, builder), separators=(",", ":")).encode()
    done = openssl("-sign", key, text=signed_text(payload))
    if done.returncode != 0:
        sys.exit(f"provenance: {key} does not sign: {done.stderr.decode().strip()}")
    print(json.dumps({"payloadType": PAYLOAD_TYPE, "payload": base64.b64encode(payload).decode(),
                      "signatures": [{"sig": base64.b64encode(done.stdout).decode()}]}))


def is_signed(key, payload, signature):
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        return openssl("-verify", key, "-signature", file.name, text=signed_text(payload)).returncode == 0


def verify(key, digest):
    wanted = hex_of(digest)
    envelope = json.load(sys.stdin)
    payload = base64.b64decode(envelope["payload"])
    if envelope["payloadType"] != PAYLOAD_TYPE or not any(is_signed(key, payload, base64.b64decode(s["sig"])) for s in envelope["signatures"]):
        sys.exit(f"provenance: NOT signed by the key of {key}")
    said = json.loads(payload)
    if (said["_type"], said["predicateType"]) != (STATEMENT, PROVENANCE) or wanted not in (one["digest"].get("sha256") for one in said["subject"]):
        sys.exit(f"provenance: signed, but NOT of {digest}")
    build = said["predicate"]
    print(f"{digest} was made of the commit {build['buildDefinition']['externalParameters']['commit']} by {build['runDetails']['builder']['id']}")


def main(words):
    match words:
        case ["sign", key, digest, builder]:
            sign(key, digest, builder)
        case ["verify", key, digest]:
            verify(key, digest)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
