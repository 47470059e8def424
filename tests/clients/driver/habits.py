"""What people do at the prompt of the command-line clients, typed at a pseudo terminal.

Every step is done at the server itself and through alterego, with the same expectations.
"""

import os
import pty
import re
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable

from . import provide
from .catalogue import PROGRAMS
from .servers import PASSWORD, SCHEMA, TLS_OFF_CLIENT, TLS_OFF_ENVIRONMENT, USER

CTRL_C, TAB = "\x03", "\t"


@dataclass(frozen=True)
class Habits:
    name: str
    prepare: Callable
    servers: tuple


class Terminal:
    """A program at a pseudo terminal: what is typed, and what is seen."""

    def __init__(self, command, environment):
        self.screen = ""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**os.environ, **environment, "TERM": "dumb", "COLUMNS": "200"})

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def expect(self, pattern, seconds=60):
        """Waits until `pattern` is seen, forgets all up to its end, and returns the match."""
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self.screen)):
            ready, _, _ = select.select([self.descriptor], [], [], max(0, deadline - time.monotonic()))
            try:
                read = os.read(self.descriptor, 65536) if ready else b""
            except OSError:
                read = b""
            if not read:
                raise RuntimeError(f"{pattern!r} is not on the screen:\n{self.screen[-1500:]!r}")
            self.screen += read.decode(errors="replace").replace("\r", "")
        self.screen = self.screen[match.end():]
        return match

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


def run(_entry, command, environment, server, alterego):
    for way, port in (("at the server itself", server.port), ("through alterego", alterego.port)):
        server.sql(f"DROP DATABASE IF EXISTS {SCHEMA}; CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
        server.sql(f"USE {SCHEMA}; {(PROGRAMS / 'schema.sql').read_text()}")
        words = [*map(str, command), "-h", "127.0.0.1", "-P", str(port), "--protocol=tcp", "-u", USER, "--local-infile=1", SCHEMA]
        terminal = Terminal(words, {**TLS_OFF_ENVIRONMENT, **environment, "MYSQL_PWD": PASSWORD})
        held = (lambda attempt: alterego.log.read_text().count("the migration begins") == attempt) if port == alterego.port else \
            (lambda _: server.sql("SELECT 1 FROM information_schema.processlist WHERE state LIKE '%metadata lock%'"))
        try:
            sit_down(terminal, server, lambda sql: once(words, environment, sql), held)
        except RuntimeError as error:
            raise RuntimeError(f"{way}, {error}") from error
        finally:
            terminal.close()
    return "Ctrl-C, KILL QUERY, \\s, PROCESSLIST, USE, tab, source, LOAD DATA LOCAL"


def sit_down(terminal, server, another_session, held):
    """All the habits, one after the other in one session."""
    prompt = r"(mysql|MariaDB \[\w+\])> "
    terminal.expect(prompt)

    def ask(text, pattern):
        terminal.type(text + "\n")
        found = terminal.expect(pattern)
        terminal.expect(prompt)
        return found

    own = ask("SELECT CONCAT('id ', CONNECTION_ID()) AS x;", r"\| id (\d+) +\|")[1]
    shown = ask("\\s", r"Connection id:\s+(\d+)[^$]*Server version:\s+(\S+)[^$]*Threads: \d+")
    if shown[1] != own:
        raise RuntimeError(f"\\s shows the connection {shown[1]}, CONNECTION_ID() is {own}")
    if not shown[2].startswith(server.version):
        raise RuntimeError(f"\\s shows the version {shown[2]}")
    ask("SHOW PROCESSLIST;", rf"\| +{own} \| {USER} [^\n]*SHOW PROCESSLIST")

    # The names were read at the start; `quantity` is a column of the table.
    terminal.type("SELECT COUNT(quan" + TAB)
    terminal.expect("COUNT\\(quan[\x07]*tity")
    ask(") FROM item;", r"\| +0 \|")

    ask("USE mysql", "Database changed")
    ask("SELECT CONCAT('in ', DATABASE()) AS x;", r"\| in mysql \|")
    ask(f"USE {SCHEMA}", "Database changed")
    (server.folder / "script.sql").write_text("INSERT INTO item (name) VALUES ('from a file');\nSELECT name FROM item;\n")
    ask(f"source {server.folder}/script.sql", r"\| from a file \|")
    (server.folder / "rows").write_text("".join(f"loaded {i}\t{i}\n" for i in range(50_000)))
    ask(f"LOAD DATA LOCAL INFILE '{server.folder}/rows' INTO TABLE item (name, amount);", "50000 rows affected")

    terminal.type("SELECT SLEEP(300);\n")
    wait_for(lambda: server.sql(f"SELECT 1 FROM information_schema.processlist WHERE id = {own} AND info LIKE '%SLEEP(300)%'"))
    terminal.type(CTRL_C)
    terminal.expect("ERROR 1317|query aborted|\\| +1 \\|")
    ask(f"SELECT 'still ', CONNECTION_ID() = {own} AS x;", r"\| still +\| +1 \|")

    terminal.type("SELECT SLEEP(300);\n")
    wait_for(lambda: server.sql(f"SELECT 1 FROM information_schema.processlist WHERE id = {own} AND info LIKE '%SLEEP(300)%'"))
    another_session(f"KILL QUERY {own}")
    terminal.expect("ERROR 1317|\\| +1 \\|")
    terminal.expect(prompt)

    interrupts = (lambda: terminal.type(CTRL_C), lambda: another_session(f"KILL QUERY {own}"))
    for attempt, interrupt in enumerate(interrupts, 1):
        with locked_rows(server):
            terminal.type("ALTER TABLE item MODIFY quantity BIGINT NOT NULL;\n")
            wait_for(lambda: held(attempt))
            interrupt()
            terminal.expect(r"ERROR 1317 \(70100\)")
            terminal.expect(prompt)
        if (left := server.left_over()) or "bigint NOT NULL" in server.sql(f"SHOW CREATE TABLE {SCHEMA}.item")[0][1]:
            raise RuntimeError(f"a cancelled ALTER has left something behind: {left}")
    ask("SELECT COUNT(*) FROM item;", r"\| +50001 \|")
    ask("ALTER TABLE item MODIFY quantity BIGINT NOT NULL;", "50001 rows affected")
    terminal.type("exit\n")
    terminal.expect("Bye")


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("what was typed did not reach the server")
        time.sleep(0.05)


@contextmanager
def locked_rows(server):
    """A session that keeps an ALTER of the table `item` from ending, be it the server's own or alterego's."""
    holder = subprocess.Popen([server.provided / "bin/client", "--protocol=socket", "-S", server.socket, "-u", "root", "-N",
                               "--unbuffered", *TLS_OFF_CLIENT[server.flavor], SCHEMA],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdin.write("BEGIN; SELECT COUNT(*) FROM (SELECT id FROM item FOR UPDATE) AS held;\n")
    holder.stdin.flush()
    holder.stdout.readline()
    try:
        yield
    finally:
        holder.communicate("ROLLBACK;\n")


def once(words, environment, sql):
    done = subprocess.run([*words, "-e", sql], env={**os.environ, **TLS_OFF_ENVIRONMENT, **environment, "MYSQL_PWD": PASSWORD},
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{sql}: {done.stderr}")


def prepare(server):
    command = [*provide.server_program(server, server.flavor), *TLS_OFF_CLIENT[server.flavor]]
    if server.flavor == "mysql":
        command.append("--commands")
    return command, {}, server.version


CLIENTS = [Habits("mysql at a terminal", prepare, ("mysql",)), Habits("mariadb at a terminal", prepare, ("mariadb",))]
