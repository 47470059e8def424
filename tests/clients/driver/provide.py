"""Brings each client's environment into the cache folder, from its registry and in the version pinned here.

An environment is made once and made again when its recipe changes. What a machine cannot provide raises
`Unavailable` with the reason, which the table then shows.
"""

import fcntl
import functools
import hashlib
import inspect
import os
import shutil
import subprocess
from pathlib import Path

from .servers import CACHE, ROOT

HERE = ROOT / "tests/clients"
# PHP, Ruby and Perl come with their drivers out of one release of Debian, whatever this machine runs.
DEBIAN_SUITE = "trixie"
DEBIAN_PACKAGES = ["php-cli", "php-mysql", "ruby", "ruby-mysql2", "ruby-activerecord", "libdbd-mysql-perl",
                   "libdbd-mariadb-perl", "libmariadb-java"]
# mysqlclient is compiled against MariaDB's client library as this machine's own release has it.
MYSQLCLIENT = "mysqlclient==2.3.1"
# diesel is linked with MySQL's: what MariaDB's makes of a length it was told (since 3.3.19 and 3.4.9) leaves it with empty
# texts, at the server itself, too.
MYSQL_SUITE = "unstable"
# The newest version whose declarations diesel's own binding knows; the library's ABI is the same in all of 9.x.
MYSQL_DECLARATIONS = "9.5.0"


class Unavailable(Exception):
    """Why an environment cannot be had on this machine."""


def call(*command, failure=Unavailable, **options):
    """What a command prints. `failure` is RuntimeError where the project's own program may be at fault."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              **options)
    except FileNotFoundError as error:
        raise Unavailable(f"there is no {error.filename} here") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise failure(f"{Path(str(command[0])).name} failed: {last[:200]}\n{done.stderr[-1500:]}")
    return done.stdout


def environment(make):
    """Makes `make(folder)` keep its folder in the cache, named after everything its recipe reads."""
    @functools.cache
    def provide():
        constants = f"{DEBIAN_SUITE} {DEBIAN_PACKAGES} {MYSQLCLIENT} {MYSQL_SUITE}"
        recipe = hashlib.sha256((inspect.getsource(make) + constants).encode())
        for name in ("requirements.txt", "package-lock.json"):
            recipe.update((HERE / name).read_bytes())
        folder = CACHE / f"{make.__name__}-{recipe.hexdigest()[:12]}"
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / f"{make.__name__}.lock", "w") as lock:
            # A second caller waits here and then finds it finished.
            fcntl.flock(lock, fcntl.LOCK_EX)
            fill(make, folder)
        return folder
    return provide


def fill(make, folder):
    if not (folder / "complete").exists():
        print(f"clients: providing {make.__name__} in {folder}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / "complete").touch()


@environment
def connector_c(folder):
    """MariaDB's client library for C, with headers, for the C library of this machine."""
    suite = call("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME").strip()
    call(ROOT / "scripts/debian-archive", suite, folder / "root", "libmariadb-dev")
    found = next((folder / "root/usr/lib").glob("*/libmariadb.so.3"))
    # Only this library: its folder has a C library of its own beside it.
    for entry in found.parent.glob("libmariadb*"):
        copy = shutil.copytree if entry.is_dir() else shutil.copy2
        copy(entry, folder / entry.name)
    shutil.copytree(folder / "root/usr/include/mariadb", folder / "include")
    shutil.rmtree(folder / "root")


@environment
def python(folder):
    call("python3", "-m", "venv", folder)
    call(folder / "bin/pip", "install", "-q", "-r", HERE / "requirements.txt")


@environment
def mysqlclient(folder):
    library = connector_c()
    call("python3", "-m", "venv", "--system-site-packages", folder)
    flags = {"MYSQLCLIENT_CFLAGS": f"-I{library / 'include'}",
             "MYSQLCLIENT_LDFLAGS": f"-L{library} -lmariadb -Wl,-rpath,{library}"}
    # Not a wheel that pip built before: that one has the place of another library in it.
    call(folder / "bin/pip", "install", "-q", "--no-cache-dir", MYSQLCLIENT, env={**os.environ, **flags})


@environment
def node(folder):
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    call("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)


@environment
def debian(folder):
    call(ROOT / "scripts/debian-archive", DEBIAN_SUITE, folder / "root", *DEBIAN_PACKAGES)


@environment
def libmysqlclient(folder):
    """MySQL's client library for C, with the C library it wants, and with how it logs in to MariaDB."""
    call(ROOT / "scripts/debian-archive", MYSQL_SUITE, folder / "root", "libmysqlclient-dev", "mysql-client-core")
    # To link with: the folder it came in has a C library beside it, which is for running only.
    found = next((folder / "root/usr/lib").glob("*/libmysqlclient.so"))
    (folder / found.name).symlink_to(found.resolve())


@functools.cache
def rust():
    """The folder of the built programs; cargo itself knows when to build again."""
    target = CACHE / "rust-target"
    call("cargo", "fetch", "--locked", "--manifest-path", HERE / "rust/Cargo.toml")
    call("cargo", "build", "--locked", "--offline", "--manifest-path", HERE / "rust/Cargo.toml", "--target-dir", target, env={
        **os.environ, "MYSQLCLIENT_LIB_DIR": str(libmysqlclient()), "MYSQLCLIENT_LIBNAME": "mysqlclient",
        "MYSQLCLIENT_VERSION": MYSQL_DECLARATIONS, "CARGO_PROFILE_DEV_DEBUG": "0",
        # What the library wants of its C library is there when the program runs.
        "RUSTFLAGS": "-Clink-arg=-Wl,--allow-shlib-undefined"}, failure=RuntimeError)
    return target / "debug"


@functools.cache
def java_classes():
    classes = CACHE / "java-classes"
    call("javac", "-encoding", "UTF-8", "-d", classes, HERE / "programs/Connector.java", failure=RuntimeError)
    return classes


# --- how a program of the unpacked Debian is started -----------------------------------------------------------

def loader(root):
    """The loader of an unpacked Debian, with its libraries."""
    libraries = next(root.glob("usr/lib/*/libc.so.6")).parent
    return [str(next(root.glob("usr/lib*/ld-linux*.so*"))), "--library-path", str(libraries)]


def debian_command(program):
    """The program with the loader that came with it."""
    root = debian() / "root"
    return [*loader(root), str(root / "usr/bin" / program)]


def ruby_environment():
    usr = debian() / "root/usr"
    folders = [*usr.glob("lib/ruby/vendor_ruby"), *usr.glob("lib/*/ruby/vendor_ruby/3*"), *usr.glob("lib/ruby/3*"),
               *usr.glob("lib/*/ruby/3*")]
    gems = [*usr.glob("share/rubygems-integration/*"), *usr.glob("lib/*/rubygems-integration/*"), *usr.glob("lib/ruby/gems/*")]
    return {"RUBYLIB": ":".join(map(str, folders)), "GEM_PATH": ":".join(map(str, gems)), "LANG": "C.UTF-8",
            "MARIADB_PLUGIN_DIR": plugin_folder(usr)}


def perl_environment():
    usr = debian() / "root/usr"
    folders = [*usr.glob("lib/*/perl5/5*"), usr / "share/perl5", *usr.glob("lib/*/perl/5.*"), *usr.glob("share/perl/5.*"),
               *usr.glob("lib/*/perl-base")]
    return {"PERL5LIB": ":".join(map(str, folders)), "MARIADB_PLUGIN_DIR": plugin_folder(usr)}


def plugin_folder(usr):
    """Where MariaDB's client library finds its authentication plugins."""
    return str(next(usr.glob("lib/*/libmariadb3/plugin")))


def php_command():
    extensions = next((debian() / "root/usr/lib/php").glob("20*"))
    wanted = ["mysqlnd", "mysqli", "pdo", "pdo_mysql"]
    return [*debian_command("php8.4"), "-n", "-d", f"extension_dir={extensions}", "-d", "memory_limit=512M",
            *(word for name in wanted for word in ("-d", f"extension={name}"))]


def server_program(server, name):
    """A program that came with a server, such as its dump; Debian's packages and a machine's own hold it beside it."""
    client = (server.provided / "bin/client").read_text().splitlines()[-1]
    own = {"mysql": "mysql", "mariadb": "mariadb"}[server.flavor]
    command, _, _ = client.removeprefix("exec ").partition(" --no-defaults")
    words = [word.strip("'") for word in command.split()]
    words[-1] = str(Path(words[-1]).with_name(name))
    if not Path(words[-1]).exists():
        raise Unavailable(f"{name} did not come with this {own}")
    return [*words, "--no-defaults"]
