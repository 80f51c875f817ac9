"""Certificates of authorities that this stack alone knows; made once, like its keys."""
import subprocess

from common import program

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650")


def _make(keys, name, subject, *words):
    """NAME.pem and NAME.key. The certificate comes last: where it is, both are whole."""
    if (keys / f"{name}.pem").exists():
        return
    subprocess.run([program("openssl"), "req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.part", "-subj", f"/CN={subject}", *words],
                   cwd=keys, check=True, stderr=subprocess.DEVNULL)
    (keys / f"{name}.part").rename(keys / f"{name}.pem")


def make_authority(keys, name):
    _make(keys, name, "onsale development")


def make_certificate(keys, name, authority, subject, names):
    """names: as OpenSSL has them, "DNS:web,IP:127.0.0.1"."""
    _make(keys, name, subject, "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-addext", f"subjectAltName={names}",
          "-addext", "basicConstraints=critical,CA:FALSE")


def join(keys, name, to):
    """A key and its certificate in one file, as some want them."""
    unfinished = keys / f"{to}.part"
    unfinished.touch(mode=0o600)
    unfinished.write_text((keys / f"{name}.key").read_text() + (keys / f"{name}.pem").read_text())
    unfinished.rename(keys / to)
