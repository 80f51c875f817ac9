"""A server that speaks S3, with one bucket, whose objects are files in a directory."""
import contextlib
import secrets
import subprocess
import sys

from support import ROOT, free_port, wait_until

sys.path.append(str(ROOT / "dev"))
import fetch
from common import program
from processes import listens

BUCKET, REGION = "onsale", "eu-central-1"


@contextlib.contextmanager
def bucket(directory):
    """What the environment has to say of it. The object KEY is the file directory/objects/onsale/KEY."""
    port, who, secret = free_port(), "onsale", secrets.token_hex(16)
    url, objects, properties = f"http://127.0.0.1:{port}", directory / "objects", directory / "properties"
    (objects / BUCKET).mkdir(parents=True)
    settings = {"s3proxy.endpoint": url, "s3proxy.authorization": "aws-v4", "s3proxy.identity": who, "s3proxy.credential": secret,
                "jclouds.provider": "filesystem-nio2", "jclouds.filesystem.basedir": objects}
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [program("java"), "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
               f"-Dlogback.configurationFile={ROOT}/tests/integration/s3/logback.xml", "-cp", f"{fetch.s3_server()}/*",
               "org.gaul.s3proxy.Main", "--properties", properties]
    with open(directory / "log", "w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            wait_until(lambda: server.poll() is not None or listens(port), "S3 listens")
            assert server.poll() is None, (directory / "log").read_text()
            yield {"LAKE_LOCATION": f"s3://{BUCKET}/lake", "AWS_ENDPOINT_URL_S3": url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": who,
                   "AWS_SECRET_ACCESS_KEY": secret}
        finally:
            server.kill()
