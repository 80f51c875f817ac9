"""What one stack remembers between runs: its ports, its password, and the settings of the last run (stack.json)."""
import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess

from common import IS_ROOT, Failed, lock_or_wait, program, short_hash, state_dir

# Below the range from which the kernel takes ports for outgoing connections, so a remembered port is rarely taken.
# A stack has a block of them for itself, or one that starts would take the port of another one's process that is just being started again.
FIRST_PORT, LAST_PORT, BLOCK = 20000, 31999, 60
DIRECTORIES = ("run", "log", "data", "keys")


def try_port(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def port_is_free(port):
    try:
        try_port(port)
        return True
    except OSError:
        return False


class State:
    def __init__(self, directory=None):
        self.dir = directory or state_dir()
        self.file = self.dir / "stack.json"
        self.socket = self.dir / "run/supervisor.sock"
        self._lock = self.claim = None
        self._read()

    def _read(self):
        saved = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.block, self.ports = saved.get("block"), saved.get("ports", {})
        self.password = saved.get("password") or secrets.token_hex(16)
        self.environment = saved.get("environment", {})  # a service's own settings, by name
        self.foreground = saved.get("foreground", False)  # whether it ends with the command that started it
        self.brokers = saved.get("brokers", 1)  # how many, for as long as there is data
        self.users = saved.get("users", False)  # whether Kafka has some, likewise
        self.lake = saved.get("lake", False)  # whether Connect fills one
        self.tls_inside = saved.get("tls_inside", False)  # between the edge and the services

    def create(self):
        # sockaddr_un holds 108 bytes, and supervisord binds a name of a few more first.
        if len(str(self.socket)) > 90:
            raise Failed(f"{self.dir} is too long a name for the socket in it; set ONSALE_STATE to a shorter one")
        for name in ("", *DIRECTORIES):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        (self.dir / "data").chmod(0o755)
        for name in ("run", "keys"):  # both hold secrets
            (self.dir / name).chmod(0o700)
        if IS_ROOT and subprocess.run([program("runuser"), "-u", "postgres", "--", "test", "-x", self.dir / "data"],
                                      cwd="/").returncode != 0:
            raise Failed(f"user postgres cannot reach {self.dir}: set ONSALE_STATE to a directory that everybody may enter")

    def save(self):
        saved = {"block": self.block, "ports": self.ports, "password": self.password, "environment": self.environment,
                 "foreground": self.foreground, "brokers": self.brokers, "users": self.users,
                 "lake": self.lake, "tls_inside": self.tls_inside}
        new = self.file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(saved, indent=2) + "\n")
        new.rename(self.file)

    def forget(self):
        """Removes what create() and the processes made, and nothing else: ONSALE_STATE may name any directory."""
        for name in DIRECTORIES:
            if (self.dir / name).exists():
                shutil.rmtree(self.dir / name)
        for name in ("stack.json", "lock"):
            (self.dir / name).unlink(missing_ok=True)
        if not any(self.dir.iterdir()):
            self.dir.rmdir()

    def lock(self, wait=False):
        """Held while a command changes the stack; the kernel lets go of it however the command ends. What the last one saved is read."""
        path = self.dir / "lock"
        while True:
            file = open(path, "w")
            if wait:
                lock_or_wait(file, "changes this stack")
            else:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Failed("another onsale command is at work on this stack") from None
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break
            self.create()  # a reset removed the file while this command waited for it
        self._lock = file
        self._read()

    def unlock(self):
        self._lock.close()

    def claim_block(self):
        """The remembered block of ports, or else a free one. It is this stack's while somebody has the socket, self.claim."""
        count = (LAST_PORT + 1 - FIRST_PORT) // BLOCK
        start = int(short_hash(str(self.dir)), 16)
        blocks = [FIRST_PORT + (start + n) % count * BLOCK for n in range(count)]
        for block in [self.block, *blocks] if self.block else blocks:
            self.claim = socket.socket()
            try:
                self.claim.bind(("127.0.0.1", block))
            except OSError:
                self.claim.close()
                continue
            if block != self.block:
                self.block, self.ports = block, {}
            return
        raise Failed("no free ports")

    def choose_port(self, name, wanted=None):
        """The port of name: the wanted one, the remembered one while nobody else has it, or else a free one."""
        others = {port for other, port in self.ports.items() if other != name}
        if wanted is not None:
            try:
                try_port(wanted)
            except OSError as error:
                raise Failed(f"port {wanted} cannot be used: {error.strerror}") from None
            self.ports[name] = wanted
        elif self.ports.get(name) in {None, *others} or not port_is_free(self.ports[name]):
            self.ports[name] = self._free_port(others)
        return self.ports[name]

    def _free_port(self, taken):
        for port in range(self.block + 1, self.block + BLOCK):
            if port not in taken and port_is_free(port):
                return port
        raise Failed("no free port")
