"""A Debian 13 beside this machine's own system: debootstrap makes it, dev/ensure-packages installs in it what is needed to build and run, and the
cache keeps it. Commands run in it with mounts and processes of their own, which end with them; but for the directories given it is read-only."""
import os
import shutil
import subprocess

import fetch
from common import DEV, IS_ROOT, cache_dir

NEEDED = ("debootstrap", "unshare", "setpriv", "chroot")
MADE_FROM = [DEV / name for name in ("packages.txt", "h2o.sha256", "fetch-h2o", "ensure-packages")]
# With the root, "ro" or "rw", a command, and before "--" each directory and where it is to be.
ENTER = """
set -e
root=$1 mode=$2
shift 2
mount --bind "$root" "$root"
mount -o "remount,bind,$mode" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
while [ "$1" != -- ]; do
    mount --bind "$1" "$root$2"
    shift 2
done
shift
exec chroot "$root" "$@"
"""
# Whoever ends, also by SIGKILL, takes with it what it started.
APART = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
PLACES = ("src", "cache", "state")


def lacking():
    """Why this machine cannot do it, or None."""
    if not IS_ROOT:
        return "only root may make a Debian by debootstrap"
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run([*APART, "mount", "-t", "tmpfs", "tmpfs", "/tmp"], text=True, capture_output=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip()


def directory():
    return cache_dir() / f"debian13-{fetch.version(*MADE_FROM)}"


def debs():
    """What apt has fetched, so that another list of packages needs only what is new in it."""
    path = cache_dir() / "debian13-debs"
    path.mkdir(parents=True, exist_ok=True)
    return path


def base():
    """The smallest Debian 13, as a tar file. Made once, in a minute."""
    tar = cache_dir() / "debian-trixie" / "base.tar"
    if not tar.exists():
        with fetch.being_made(tar.parent) as unfinished:
            if unfinished:
                root = unfinished / "root"
                unfinished.mkdir()
                run([*APART, "debootstrap", "--force-check-gpg", "--variant=minbase", "trixie", root], timeout=900).check_returncode()
                run(["tar", "-C", root, "--numeric-owner", "-cf", unfinished / "base.tar", "."], timeout=300).check_returncode()
                shutil.rmtree(root)
    return tar


def run(command, timeout, **options):
    return subprocess.run(list(map(str, command)), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, check=False, **options)


def enter(root, mode, mounts, script, timeout=900, **environment):
    """Runs a shell script in there. mounts: {directory: where}."""
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    places = [word for pair in mounts.items() for word in pair]
    done = run([*APART, "bash", "-c", ENTER, "enter", root, mode, *places, "--", "bash", "-ec", script], timeout, cwd="/",
               env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **proxies, **environment})
    assert done.returncode == 0, f"exit {done.returncode} of {script.strip()}\n{done.stdout[-6000:]}"
    return done.stdout


def make():
    """Once: two or three minutes."""
    if directory().exists():
        return
    tar = base()
    with fetch.being_made(directory()) as unfinished:
        if unfinished:
            root = unfinished / "root"
            root.mkdir(parents=True)
            fetch.say("making a Debian 13 to build and run in (once; about two minutes)")
            run(["tar", "-C", root, "-xf", tar], timeout=300).check_returncode()
            for place in PLACES:
                (root / place).mkdir()
            shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
            enter(root, "rw", {DEV: "/src", debs(): "/var/cache/apt/archives"}, "/src/ensure-packages run")
