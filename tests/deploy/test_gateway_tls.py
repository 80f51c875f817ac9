"""TLS of the chart's edge, as testssl.sh sees it, which knows nothing of it: protocols, ciphers, what the server shows, known weaknesses. What it finds
is zero, or explained in SECURITY.md."""
import json
import re
import shutil
import subprocess

import pytest

from chart import LEAST, of, render
from common import ROOT
from gateway import Envoy, Translation, certificate, tls_secret
from support import free_port

TESTSSL = shutil.which("testssl")
pytestmark = pytest.mark.skipif(TESTSSL is None, reason="there is no package of testssl.sh")
HOST = "onsale.test"
LOOKS = ("--protocols", "--std", "--fs", "--server-defaults", "--vulnerable")
HARMLESS = {"OK", "INFO", "DEBUG", "WARN"}  # WARN is of its own means: what it could not look at with the OpenSSL that is here


def explained():
    """What SECURITY.md says of its findings: the first cell of each row."""
    [table] = re.findall(r"(?s)\n\| testssl says \|.*?\n\n", (ROOT / "SECURITY.md").read_text())
    return set(re.findall(r"`(\w+)`", "".join(re.findall(r"(?m)^\|([^|]+)\|", table))))


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    """Nothing stands behind it: what is looked at ends here. Gives its port."""
    directory = tmp_path_factory.mktemp("edge")
    docs = render(LEAST, {"edge": {"host": HOST, "tlsSecret": "tls"}})
    [gateway] = of(docs, "Gateway")
    made = Translation([*docs, tls_secret("tls", gateway["metadata"]["namespace"], *certificate(directory, HOST))])
    listeners = {"http": free_port(), "https": free_port()}
    with Envoy(made, directory, {service: [1] for service in made.services.values()}, listeners):
        yield listeners["https"]


def test_it_finds_nothing(edge, tmp_path):
    said = tmp_path / "said.json"
    words = [TESTSSL, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "min", "--ip", "127.0.0.1", "--jsonfile", said, *LOOKS, f"https://{HOST}:{edge}/"]
    done = subprocess.run(words, cwd=tmp_path, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=600)
    findings = json.loads(said.read_text())
    by_id = {finding["id"]: finding for finding in findings}
    assert by_id["TLS1_3"]["severity"] == by_id["TLS1_2"]["severity"] == "OK" and by_id["TLS1"]["finding"] == "not offered", done.stdout[-4000:]
    assert "heartbleed" in by_id, done.stdout[-4000:]
    wrong = {name: finding["finding"] for name, finding in by_id.items() if finding["severity"] not in HARMLESS}
    assert {name: wrong[name] for name in wrong.keys() - explained()} == {}
    assert explained() <= wrong.keys(), "nothing is explained that is not said any more"
