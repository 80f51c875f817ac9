"""A synchronous standby of one service's Postgres, which takes over while people use the service. The server that it follows is the stack's own."""
import os
import shutil
import signal
import threading

from processes import postgres_bin
from standby import STANDBY, Server
from support import wait_until

BEHIND = 1.5  # seconds for which the standby gets nothing before its primary dies: what was committed meanwhile is lost
TAKE_OVER = 60  # seconds that a promotion may take


class Successor:
    def __init__(self, stack, service, state):
        self.stack, self.service, self.name = stack, service, f"postgres-{service}"
        self.dead = False
        password = os.environ["PGPASSWORD"] = state.password  # for URLs that have none: standby.py's
        directory = stack.state / "data/standby"
        directory.mkdir()
        if os.getuid() == 0:
            shutil.chown(directory, "postgres", "postgres")
        self.primary = Server(postgres_bin(), stack.state / "data" / self.name, state.ports[self.name])
        self.primary.set("wal_keep_size", "512MB")
        self.standby = self.primary.copy(directory / "server")
        self.standby.configure(f"primary_conninfo = 'host=127.0.0.1 port={self.primary.port} user=onsale password={password} application_name={STANDBY}'\n"
                               "wal_retrieve_retry_interval = 500ms\n")
        self.standby.start()
        self.primary.set("synchronous_standby_names", STANDBY)
        wait_until(lambda: self.primary.sql("select sync_state from pg_stat_replication where application_name = %s", STANDBY) == [("sync",)],
                   "the standby is synchronous")

    @property
    def ports(self):
        return [self.primary.port, self.standby.port]

    def url(self, url):
        """The service's database, wherever it takes writes."""
        before, _, database = url.rpartition("/")
        who = before.rpartition("@")[0]
        return f"{who}@127.0.0.1:{self.ports[0]},127.0.0.1:{self.ports[1]}/{database}?target_session_attrs=read-write"

    def take_over(self):
        """The primary dies with what the standby lacks, and does not come back. May be called again after it failed."""
        if not self.dead:
            self.let_die()
        self.stack.supervisor("stop", self.name)  # before it is up again: two that take writes would be taken for one
        self.standby.sql(f"select pg_promote(true, {TAKE_OVER})")

    def let_die(self):
        senders = self.primary.sql("select pid from pg_stat_replication where application_name = %s", STANDBY)
        for [sender] in senders:
            os.kill(sender, signal.SIGSTOP)
        threading.Event().wait(BEHIND)
        self.primary.kill()
        self.dead = True

    def close(self):
        self.standby.stop()
