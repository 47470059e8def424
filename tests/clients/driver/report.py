"""The table of what was run, on the terminal and in docs/clients.md."""

from dataclasses import dataclass

from .servers import ROOT, Server

DOCS = ROOT / "docs/clients.md"
BEGIN, END = "<!-- table: begin, written by tests/clients/run --write-docs -->", "<!-- table: end -->"
HEAD = "| client | version | server | what | result | remark |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Row:
    """One client on one server. `result` is `same`, `differs` or `not run`."""
    name: str
    version: str
    server: Server
    what: str
    result: str
    remark: str

    def cells(self):
        server = {"mysql": "MySQL", "mariadb": "MariaDB"}[self.server.flavor]
        remark = (self.remark.splitlines() or [""])[0].replace("|", "\\|")
        return [self.name, self.version, f"{server} {self.server.version}", self.what, self.result, remark]


def show(row):
    """One line while the run goes on, and all that is known when something is wrong."""
    print("{:30} {:28} {:16} {:11} {:8} {}".format(*row.cells()), flush=True)
    if row.result == "differs" and "\n" in row.remark:
        print("    " + "\n    ".join(row.remark.splitlines()[1:]), flush=True)


def table(rows):
    return "\n".join([HEAD, *map(line, (row.cells() for row in rows))])


def line(cells):
    return "| " + " | ".join(cells) + " |"


def write_docs(rows):
    """Puts the rows into the table there; what a filter left out of this run stays as an earlier one left it."""
    before, rest = DOCS.read_text().split(BEGIN)
    there, after = rest.split(END)
    merged = {key(text): text for text in there.strip().splitlines()[2:]}
    merged.update({key(text): text for text in (line(row.cells()) for row in rows)})
    DOCS.write_text("\n".join([f"{before}{BEGIN}", HEAD, *sorted(merged.values(), key=key), END]) + after)


def key(text):
    """Kinds of runs apart, and in each the servers of one client side by side."""
    name, _, server, what, *_ = (cell.strip() for cell in text.strip("|").split(" | "))
    return what != "operations", what, name.lower(), server.split()[0]
