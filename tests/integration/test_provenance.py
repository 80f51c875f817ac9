"""Who gets an image knows which commit it was made of, and that its maker says so, without asking anybody."""
import base64
import json
import subprocess

import pytest

from support import ROOT

DIGEST, OTHER = f"sha256:{'a1' * 32}", f"sha256:{'b2' * 32}"
BUILDER = "https://ci.example/builders/1"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A clone that differs from its last commit in nothing."""
    tree = tmp_path_factory.mktemp("tree") / "onsale"
    for name in ("Dockerfile", "dev/h2o.sha256", "tools/provenance.py"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes((ROOT / name).read_bytes())
    who = ["-c", "user.name=tests", "-c", "user.email=tests@onsale.example"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "All"]):
        subprocess.run(["git", *words], cwd=tree, check=True)
    return tree


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return [new_key(tmp_path_factory.mktemp("keys")) for _ in range(2)]


def new_key(folder):
    """(private, public)"""
    private, public = folder / "onsale.key", folder / "onsale.pub"
    subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", private], check=True)
    subprocess.run(["openssl", "ec", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


def run(tree, *words, text=None):
    return subprocess.run(["python3", tree / "tools/provenance.py", *words], input=text, capture_output=True, text=True)


@pytest.fixture(scope="module")
def envelope(tree, keys):
    done = run(tree, "sign", keys[0][0], DIGEST, BUILDER)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_what_it_was_made_of(tree, keys, envelope):
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tree, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    done = run(tree, "verify", keys[0][1], DIGEST, text=envelope)
    assert done.returncode == 0 and commit in done.stdout and BUILDER in done.stdout
    said = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    assert said["subject"] == [{"name": "onsale", "digest": {"sha256": "a1" * 32}}]
    base = next(line.split("sha256:")[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("ARG BASE="))
    digests = [one["digest"] for one in said["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert {"gitCommit": commit} in digests and {"sha256": base} in digests


def test_another_image_is_refused(tree, keys, envelope):
    done = run(tree, "verify", keys[0][1], OTHER, text=envelope)
    assert done.returncode == 1 and "NOT of" in done.stderr


def test_another_key_is_refused(tree, keys, envelope):
    done = run(tree, "verify", keys[1][1], DIGEST, text=envelope)
    assert done.returncode == 1 and "NOT signed" in done.stderr


@pytest.mark.parametrize("what", ["payload", "payloadType"])
def test_what_was_altered_is_refused(tree, keys, envelope, what):
    altered = json.loads(envelope)
    if what == "payload":
        text = base64.b64decode(altered["payload"]).replace(b"a1a1", b"b2b2")
        altered["payload"] = base64.b64encode(text).decode()
    else:
        altered["payloadType"] = "text/plain"
    for digest in (DIGEST, OTHER):
        done = run(tree, "verify", keys[0][1], digest, text=json.dumps(altered))
        assert done.returncode == 1 and "NOT signed" in done.stderr


def test_a_tree_that_nobody_else_has_is_not_vouched_for(tree, keys):
    (tree / "Dockerfile.mine").touch()
    try:
        done = run(tree, "sign", keys[0][0], DIGEST, BUILDER)
    finally:
        (tree / "Dockerfile.mine").unlink()
    assert done.returncode == 1 and "differs" in done.stderr


def test_what_is_no_digest_is_refused(tree, keys):
    done = run(tree, "sign", keys[0][0], "onsale:0.1.0", BUILDER)
    assert done.returncode == 1 and "is no digest" in done.stderr
