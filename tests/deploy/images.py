"""The image, built from the Dockerfile by buildah on a Debian of debootstrap's, and run by podman: neither needs a daemon or a registry. Both
keep what they have in the cache, apart from this machine's own images."""
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import debian13
from common import IS_ROOT, ROOT, cache_dir, lock_or_wait, say

NEEDED = ("buildah", "podman", "debootstrap", "runc", "catatonit")
BASE, IMAGE = "debian:trixie-slim", "onsale:0.1.0"
PACKAGES = "onsale-packages:kept"  # the first stage, which takes longest and changes least: what has no name is removed at the end
# Under which podman runs without systemd, and with the limits that a container itself may have.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
"""


def lacking():
    """Why this machine cannot do it, or None."""
    if not IS_ROOT:
        return "only root may make a Debian by debootstrap"
    missing = [name for name in NEEDED if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else None


def copy_checkout(into):
    """The files that git would take, and not what else lies about."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "--null", "--ignore-failed-read", "-T", "-", "-cf", f"{into}/checkout.tar"], cwd=ROOT, input=files, check=True)
    subprocess.run(["tar", "-C", into, "-xf", f"{into}/checkout.tar"], check=True)
    os.unlink(f"{into}/checkout.tar")


class Images:
    def __init__(self, directory):
        self.directory = directory
        (directory / "containers.conf").write_text(CONTAINERS_CONF)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "CONTAINERS_CONF": str(directory / "containers.conf"),
                            **{k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}}
        self.storage, self.run_root = cache_dir() / "images", cache_dir() / "images.run"  # podman wants both where they were
        self.storage.mkdir(parents=True, exist_ok=True)
        below = subprocess.run(["stat", "-f", "-c", "%T", self.storage], check=True, text=True, stdout=subprocess.PIPE).stdout
        self.driver = "vfs" if "overlay" in below else "overlay"  # the one does not go upon itself

    def run(self, program, *words, check=True, timeout=600, **options):
        where = ["--root", self.storage, "--runroot", self.run_root, "--storage-driver", self.driver]
        done = subprocess.run([program, *where, *map(str, words)], env=self.environment, cwd=self.directory, text=True,
                              capture_output=True, timeout=timeout, **options)
        assert not check or done.returncode == 0, f"{program} {' '.join(map(str, words))}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def podman(self, *words, **options):
        return self.run("podman", *words, **options).stdout.strip()

    def trouble(self):
        """Why no container can be run on this machine, or None. A machine may be one itself, and lack what it takes."""
        try:
            self.make_base()
            done = self.run("podman", "run", "--rm", "--network", "host", BASE, "/bin/true", check=False, timeout=120)
        except subprocess.CalledProcessError as error:
            return f"{error.cmd[0]} failed: {error.stdout[-300:]}"
        except subprocess.TimeoutExpired as error:
            return f"{' '.join(map(str, error.cmd))} did not end within {error.timeout:.0f} s"
        return None if done.returncode == 0 else done.stderr.strip()[-300:]

    def make_base(self):
        """Once: a minute."""
        tar = debian13.base()
        if self.run("podman", "image", "exists", BASE, check=False).returncode != 0:
            self.podman("import", tar, BASE)

    def build(self, *words, tag=IMAGE, edit=None):
        """From a copy of the checkout. edit(directory) changes it before."""
        with tempfile.TemporaryDirectory(prefix="onsale-image.") as context:
            copy_checkout(context)
            if edit:
                edit(pathlib.Path(context))
            for name, *more in ((PACKAGES, "--target", "packages"), (tag, *words)):
                self.run("buildah", "bud", "--isolation", "chroot", "--pull=never", "--build-arg", f"BASE={BASE}", "--format", "docker", "--layers",
                         "--timestamp", "0", "-t", name, *more, context)
        return json.loads(self.podman("image", "inspect", tag))[0]

    def clear(self):
        """Ends whatever runs, and forgets what has no name."""
        self.run("podman", "pod", "rm", "-a", "-f", "-t", "0", check=False)
        self.run("podman", "rm", "-a", "-f", "-t", "0", check=False)
        self.run("podman", "image", "prune", "-f", check=False)


LOCK = "images.lock"


@contextlib.contextmanager
def images():
    with tempfile.TemporaryDirectory(prefix="onsale-podman.") as directory:
        made = Images(pathlib.Path(directory))
        with open(cache_dir() / LOCK, "w") as lock:
            lock_or_wait(lock, made.storage)
            try:
                yield made
            finally:
                made.clear()


def end_what_is_left():
    """By tests that were killed before they had cleaned up. Not while somebody else has containers."""
    with contextlib.suppress(BlockingIOError), tempfile.TemporaryDirectory(prefix="onsale-podman.") as directory, open(cache_dir() / LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left = Images(pathlib.Path(directory))
        if left.podman("ps", "-a", "-q"):
            say("ending the containers that were left")
            left.clear()


if __name__ == "__main__" and not lacking():
    end_what_is_left()
