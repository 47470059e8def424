"""Every client that is tried: its name, what runs it, and how its version is found."""

import os
from dataclasses import dataclass
from typing import Callable

from . import provide
from .provide import HERE, call
from .servers import TLS_OFF_CLIENT

PROGRAMS = HERE / "programs"


@dataclass(frozen=True)
class Client:
    """`prepare(server)` gives the command, additions to its environment, and the version. It may raise Unavailable."""
    name: str
    prepare: Callable
    servers: tuple = ("mysql", "mariadb")


def pip_version(folder, package):
    script = f"import importlib.metadata as m; print(m.version('{package}'))"
    return call(folder / "bin/python", "-c", script).strip()


def python_client(name, package, program, environment=None, provided=None):
    def prepare(_server):
        folder = (provided or provide.python)()
        return [folder / "bin/python", PROGRAMS / program], environment or {}, pip_version(folder, package)
    return Client(name, prepare)


def mysqlclient(_server):
    library, folder = provide.connector_c(), provide.mysqlclient()
    script = "import MySQLdb; print(MySQLdb.get_client_info())"
    version = f"{pip_version(folder, 'mysqlclient')} (Connector/C {call(folder / 'bin/python', '-c', script).strip()})"
    plugins = {"MARIADB_PLUGIN_DIR": str(library / "libmariadb3/plugin")}
    return [folder / "bin/python", PROGRAMS / "with_mysqlclient.py"], plugins, version


def npm_version(folder, package):
    return call("node", "-p", f"require('{folder}/node_modules/{package}/package.json').version").strip()


def node_command(folder, program):
    """Node looks for packages beside the program, so the programs are copied beside the packages."""
    for source in [*PROGRAMS.glob("*.mjs"), *(HERE / "migrations").glob("*.mjs")]:
        (folder / source.name).write_bytes(source.read_bytes())
    return ["node", folder / program]


def node_client(name, package, program):
    def prepare(_server):
        folder = provide.node()
        return node_command(folder, program), {"TZ": "UTC"}, npm_version(folder, package)
    return Client(name, prepare)


def rust_client(name):
    def prepare(_server):
        root = provide.libmysqlclient() / "root"
        command = [*provide.loader(root), provide.rust() / name]
        lock = (HERE / "rust/Cargo.lock").read_text()
        version = lock.split(f'name = "{name}"\nversion = "')[1].split('"')[0]
        return command, {"LIBMYSQL_PLUGIN_DIR": str(root / "usr/lib/mysql/plugin")}, version
    return Client(name, prepare)


def perl_client(name, dbd):
    def prepare(_server):
        perl, environment = provide.debian_command("perl"), provide.perl_environment()
        version = call(*perl, f"-MDBD::{dbd}", "-e", f"print $DBD::{dbd}::VERSION", env={**os.environ, **environment})
        return [*perl, PROGRAMS / "with_dbi.pl"], {**environment, "DBD": dbd}, version
    return Client(name, prepare)


def php(_server):
    command = provide.php_command()
    return [*command, PROGRAMS / "with_mysqli.php"], {}, call(*command, "-r", "echo PHP_VERSION;")


def ruby(_server):
    command, environment = provide.debian_command("ruby3.3"), provide.ruby_environment()
    version = call(*command, "-rmysql2", "-e", "print Mysql2::VERSION", env={**os.environ, **environment})
    return [*command, PROGRAMS / "with_mysql2.rb"], environment, version


def java_client(name, find):
    def prepare(_server):
        jar = find()
        manifest = call("unzip", "-p", jar, "META-INF/MANIFEST.MF")
        version = manifest.split("Bundle-Version: ")[1].split()[0]
        # Without this the JDK turns what it prints into ASCII where no locale is set.
        command = ["java", "-Dfile.encoding=UTF-8", "-cp", f"{provide.java_classes()}:{jar}", "Connector"]
        return command, {"TZ": "UTC"}, version
    return Client(name, prepare)


def connector_j_2(server):
    if server.flavor == "mysql":
        raise provide.Unavailable("MySQL 9 itself answers its prepared statements with 1835, Malformed communication packet")
    return java_client("", debian_jar).prepare(server)


def debian_jar():
    return provide.debian() / "root/usr/share/java/mariadb-java-client.jar"


def liquibase_folder():
    return provide.node() / "node_modules/liquibase/dist/liquibase/internal/lib"


def command_line(server):
    command = [*provide.server_program(server, server.flavor), *TLS_OFF_CLIENT[server.flavor]]
    if server.flavor == "mysql":
        command.append("--commands")  # Its client commands are off by default.
    return ["bash", PROGRAMS / "command_line.sh"], {"CLIENT": " ".join(command)}, server.version


def dump(server):
    tls = TLS_OFF_CLIENT[server.flavor]
    dump_name, binlog_name = {"mysql": ("mysqldump", "mysqlbinlog"), "mariadb": ("mariadb-dump", "mariadb-binlog")}[server.flavor]
    programs = {"DUMP": dump_name, "CLIENT": server.flavor, "BINLOG": binlog_name}
    environment = {key: " ".join([*provide.server_program(server, name), *tls]) for key, name in programs.items()}
    if server.flavor == "mysql":
        environment["DUMP"] += " --set-gtid-purged=OFF"
    environment["SOURCE_DATA"] = {"mysql": "--source-data=2", "mariadb": "--master-data=2"}[server.flavor]
    return ["bash", PROGRAMS / "dump.sh"], environment, server.version


CLIENTS = [
    Client("mysql", command_line, ("mysql",)),
    Client("mariadb", command_line, ("mariadb",)),
    Client("mysqldump, mysqlbinlog", dump, ("mysql",)),
    Client("mariadb-dump, mariadb-binlog", dump, ("mariadb",)),
    python_client("PyMySQL", "PyMySQL", "with_pymysql.py"),
    Client("mysqlclient", mysqlclient),
    python_client("mysql-connector-python", "mysql-connector-python", "with_connector_python.py"),
    # At the server itself, too, asyncmy loses a statement that needs more than one packet.
    python_client("asyncmy", "asyncmy", "with_asyncmy.py", {"BLOB_MIB": "15"}),
    node_client("mysql2 (Node)", "mysql2", "with_mysql2.mjs"),
    node_client("mariadb (Node)", "mariadb", "with_mariadb.mjs"),
    rust_client("sqlx"),
    rust_client("mysql_async"),
    rust_client("diesel"),
    perl_client("DBD::mysql", "mysql"),
    perl_client("DBD::MariaDB", "MariaDB"),
    Client("PHP mysqlnd (mysqli, PDO)", php),
    Client("Ruby mysql2", ruby),
    Client("MariaDB Connector/J 2", connector_j_2),
    java_client("MariaDB Connector/J 3", lambda: liquibase_folder() / "mariadb-java-client.jar"),
]
