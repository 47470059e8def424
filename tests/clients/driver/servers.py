"""A private server and an alterego in front of it, for as long as a `with` block lasts."""

import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("ALTEREGO_CACHE") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alterego") / "clients"
USER, PASSWORD, SCHEMA = "app", "Fresh-every-day1", "shop"

# The only place that turns TLS off: with it, clients show the certificate they met, which differs. Without TLS on the server, too, a client
# meets the same on either way. Connectors of MariaDB insist on TLS with a password unless they are told.
TLS_OFF_SERVER = {"mysql": ["--tls-version="], "mariadb": ["--skip-ssl"]}
TLS_OFF_ENVIRONMENT = {"MARIADB_TLS_DISABLE_PEER_VERIFICATION": "1"}
TLS_OFF_CLIENT = {"mysql": [], "mariadb": ["--skip-ssl"]}


def free_port():
    """A port below the range from which the system takes the local ports of outgoing connections."""
    while True:
        port = random.randrange(14_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def wait_until(what, condition, process, log, seconds=120):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{what} does not start:\n{Path(log).read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return result


class Server:
    """A MySQL or MariaDB server with the account `app`."""

    def __init__(self, flavor):
        self.flavor = flavor
        found = subprocess.run([ROOT / "scripts/provide-servers", flavor], check=True, capture_output=True, text=True)
        self.provided = Path(found.stdout.strip())
        words = (self.provided / "version").read_text().split("Ver ")[1]
        self.version = re.match(r"[0-9.]+", words)[0]

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="alterego-clients-"))
        self.socket = self.folder / "s.sock"
        self.port = free_port()
        data = self.folder / "data"
        shutil.copytree(self.template(), data)
        arguments = [
            f"--datadir={data}", f"--socket={self.socket}", f"--tmpdir={self.folder}",
            f"--pid-file={self.folder / 'pid'}", f"--port={self.port}", "--bind-address=127.0.0.1",
            "--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--sync-binlog=0",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=512M", "--max-connections=300",
            "--local-infile=1", "--max-allowed-packet=64M", *TLS_OFF_SERVER[self.flavor],
        ]
        if self.flavor == "mysql":
            arguments += ["--mysqlx=OFF", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"]
        log = self.folder / "error.log"
        with open(log, "wb") as sink:
            self.process = subprocess.Popen([self.provided / "bin/server", *arguments], stdin=subprocess.DEVNULL,
                                            stdout=sink, stderr=sink, cwd=self.folder)
        wait_until(self.flavor, lambda: self.try_sql("SELECT 1"), self.process, log)
        self.sql(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO '{USER}'@'%'")
        # MySQL's caching_sha2_password lets a client in without TLS once it has seen the password on a safe way.
        self.sql("SELECT 1", user=USER, password=PASSWORD)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def template(self):
        template = CACHE / f"data-{self.flavor}-{self.version}"
        if not template.exists():
            partial = template.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([self.provided / "bin/initialise", partial], check=True, capture_output=True)
            (partial / "auto.cnf").unlink(missing_ok=True)
            partial.rename(template)
        return template

    def client(self, *arguments, user="root", password=""):
        """The server's own client at its own socket, which no proxy is in the way of."""
        environment = {**os.environ, "MYSQL_PWD": password}
        return subprocess.run(
            [self.provided / "bin/client", "--protocol=socket", "-S", self.socket, "-u", user, "-B", "-N", "-r",
             "--default-character-set=utf8mb4", *TLS_OFF_CLIENT[self.flavor], *arguments],
            env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def try_sql(self, sql):
        return self.client("-e", sql).returncode == 0

    def sql(self, sql, user="root", password=""):
        """Runs statements and returns the rows of all results, each a list of texts."""
        done = self.client("-e", sql, user=user, password=password)
        if done.returncode:
            raise RuntimeError(f"{done.stderr.strip()}: {sql[:200]}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def left_over(self, seconds=60):
        """Ghosts and old tables that do not go away; a replaced table goes soon after the client has its answer."""
        deadline = time.monotonic() + seconds
        while True:
            rows = self.sql("SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables"
                            " WHERE table_schema LIKE '%\\_\\_ghost' OR table_schema LIKE '%\\_\\_old'")
            if not rows or time.monotonic() > deadline:
                return [row[0] for row in rows]
            time.sleep(0.1)


class Alterego:
    """The proxy under test, in front of `server`."""

    def __init__(self, server):
        self.server = server
        self.binary = os.environ.get("ALTEREGO_BIN") or ROOT / "target/debug/alterego"

    def __enter__(self):
        self.log = self.server.folder / f"alterego-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as sink:
            self.process = subprocess.Popen(
                [self.binary, f"mysql://root@127.0.0.1:{self.server.port}", "--listen", "127.0.0.1:0"],
                env={**os.environ, "NO_COLOR": "1"}, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        listening = re.compile(r"listening addr=127\.0\.0\.1:([0-9]+)")
        found = wait_until("alterego", lambda: listening.search(self.log.read_text(errors="replace")), self.process, self.log)
        self.port = int(found[1])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def done_online(self):
        """How many schema changes it has carried out itself."""
        return self.log.read_text(errors="replace").count("schema change: done online")
