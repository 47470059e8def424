"""Migration tools: a change of a table of 200,000 rows forth and back, while another client writes to it.

The same tool makes the same change to a copy of the table at the server itself, which is then given the same
writes. Both tables must be equal afterwards, in definition and in rows, and the writer must have seen no error.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from typing import Callable

from . import catalogue, provide
from .provide import HERE, Unavailable
from .servers import PASSWORD, SCHEMA, TLS_OFF_ENVIRONMENT, USER

FOLDER = HERE / "migrations"
CLONE = f"{SCHEMA}_native"
SEED = """
    DROP DATABASE IF EXISTS {0}; CREATE DATABASE {0} CHARACTER SET utf8mb4; USE {0};
    CREATE TABLE account (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        owner VARCHAR(50) NOT NULL,
        amount INT NOT NULL DEFAULT 0,
        city VARCHAR(40),
        counter BIGINT NOT NULL DEFAULT 0
    );
    CREATE TABLE digit (d INT); INSERT INTO digit VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
    INSERT INTO account (id, owner, amount, city)
        SELECT i + 1, CONCAT('owner ', i), i * 31, IF(i % 7 = 0, NULL, CONCAT('město ', i % 1000)) FROM (
            SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d + 100000 * f.d AS i
            FROM digit a, digit b, digit c, digit d, digit e, digit f WHERE f.d < 2) AS numbers;
    DROP TABLE digit"""


@dataclass(frozen=True)
class Tool:
    """`prepare` is as a client's; the command is given `forth` or `back`."""
    name: str
    prepare: Callable
    servers: tuple = ("mysql", "mariadb")


def run(_tool, command, environment, server, alterego):
    """Forth and back through alterego and on the clone; raises unless the tables are equal each time."""
    for schema in (SCHEMA, CLONE):
        server.sql(SEED.format(schema))
    written = 0
    for direction in ("forth", "back"):
        writer = start(writer_command(written), place(alterego.port, SCHEMA), stdin=subprocess.PIPE)
        try:
            check(start([*command, direction], {**environment, **place(alterego.port, SCHEMA)}), f"{direction} through alterego")
        finally:
            count = finish(writer)
        check(start([*command, direction], {**environment, **place(server.port, CLONE)}), f"{direction} at the server itself")
        check(start(writer_command(written, count), place(server.port, CLONE)), "the writes to the clone")
        written += count
        compare(server, direction)
    online = alterego.done_online()
    if not online:
        raise RuntimeError("no schema change went online")
    return f"{online} online, {written} writes meanwhile"


def place(port, schema):
    return {"DB_PORT": str(port), "DB_SCHEMA": schema, "DB_USER": USER, "DB_PASSWORD": PASSWORD}


def writer_command(first, *count):
    return [provide.python() / "bin/python", FOLDER / "writer.py", first, *count]


def start(command, environment, stdin=subprocess.DEVNULL):
    return subprocess.Popen([str(word) for word in command], env={**os.environ, **TLS_OFF_ENVIRONMENT, **environment},
                            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def check(process, what):
    try:
        text, _ = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    if process.returncode:
        raise RuntimeError(f"{what} fails (exit code {process.returncode}):\n{text[-1500:]}")


def finish(writer):
    """Ends the writer and returns how many writes it did."""
    text, _ = writer.communicate("", timeout=60)
    if writer.returncode:
        raise RuntimeError(f"the writer saw an error:\n{text[-1500:]}")
    return int(text)


def compare(server, direction):
    def definition(schema):
        text = server.sql(f"SHOW CREATE TABLE {schema}.account")
        # The counter stands where the highest value ever tried has left it.
        return re.sub(r" AUTO_INCREMENT=[0-9]+", "", "\n".join("\t".join(row) for row in text))

    ours, native = definition(SCHEMA), definition(CLONE)
    if ours != native:
        raise RuntimeError(f"another definition after {direction}:\n{ours}\n{native}")
    checksums = server.sql(f"CHECKSUM TABLE {SCHEMA}.account, {CLONE}.account EXTENDED")
    if checksums[0][1] != checksums[1][1]:
        rows = [{tuple(row) for row in server.sql(f"SELECT * FROM {schema}.account")} for schema in (SCHEMA, CLONE)]
        only = [sorted(mine - theirs)[:5] for mine, theirs in (rows, rows[::-1])]
        raise RuntimeError(f"other rows after {direction}: only through alterego {only[0]}, only natively {only[1]}")


def python_tool(name, package, program):
    def prepare(_server):
        folder = provide.python()
        return [folder / "bin/python", FOLDER / program], {}, catalogue.pip_version(folder, package)
    return Tool(name, prepare)


def node_tool(name, program):
    def prepare(server):
        folder = provide.node()
        return catalogue.node_command(folder, program), {"DB_FLAVOR": server.flavor}, catalogue.npm_version(folder, name.lower())
    return Tool(name, prepare)


def active_record(_server):
    command, environment = provide.debian_command("ruby3.3"), provide.ruby_environment()
    version = provide.call(*command, "-ractive_record", "-e", "print ActiveRecord.version", env={**os.environ, **environment})
    return [*command, FOLDER / "with_active_record.rb"], environment, version


def liquibase(_server):
    folder = catalogue.liquibase_folder()
    # The jars are named: no wildcard, because drivers of other databases lie there, too.
    jars = [folder / f"{name}.jar" for name in ("picocli", "liquibase-core", "commons-io", "commons-lang3", "commons-text",
            "commons-collections4", "snakeyaml", "opencsv", "jaxb-api", "jaxb-core", "jaxb-runtime", "mariadb-java-client")]
    classes = ":".join(str(jar) for jar in jars)
    version = catalogue.npm_version(provide.node(), "liquibase")
    return ["bash", FOLDER / "with_liquibase.sh"], {"CLASSES": classes}, version


def flyway(_server):
    raise Unavailable("neither PyPI, npm, crates.io nor Debian carries it, and its npm packages download it at install")


TOOLS = [
    python_tool("Django", "Django", "django_project/manage.py"),
    python_tool("Alembic (SQLAlchemy)", "alembic", "with_alembic.py"),
    Tool("Active Record (Rails)", active_record),
    node_tool("Knex", "with_knex.mjs"),
    node_tool("Sequelize", "with_sequelize.mjs"),
    node_tool("TypeORM", "with_typeorm.mjs"),
    Tool("Liquibase", liquibase),
    Tool("Flyway", flyway),
]
