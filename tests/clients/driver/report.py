"""The table of what was run, on the terminal and in docs/clients.md."""

from dataclasses import dataclass

from .servers import ROOT, Server

DOCS = ROOT / "docs/clients.md"
BEGIN, END = "<!-- table: begin, written by tests/clients/run --write-docs -->", "<!-- table: end -->"


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
    lines = ["| client | version | server | what | result | remark |", "|---|---|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row.cells()) + " |" for row in rows])


def write_docs(rows):
    text = DOCS.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOCS.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")
