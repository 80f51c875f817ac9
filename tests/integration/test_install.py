"""What `cmake --install` puts where."""
import subprocess

from support import ROOT

PREPARING = ("topics", "schemas", "rights")  # of Kafka and the registry


def test_what_is_deployed_is_installed(tmp_path):
    """The services, the streams, the program that reads pictures, and what prepares Kafka; nothing that is for development or tests."""
    subprocess.run(["cmake", "--install", ROOT / "build/release", "--prefix", tmp_path], check=True, stdout=subprocess.DEVNULL)
    components = {main.parent.name for kind in ("services", "streams") for main in ROOT.glob(f"{kind}/*/main.c")} - {"stripe-sandbox"}
    files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert set(files) == {f"bin/{name}" for name in components | {"picture", *PREPARING}} | {"share/onsale/topics.json", "share/onsale/rights.json"}
    for name, path in files.items():
        assert path.stat().st_mode & 0o777 == (0o755 if name.startswith("bin/") else 0o644), name
