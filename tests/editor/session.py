"""A session of an editor with a language server: files are opened, and what the server answers is judged.

Usage: session.py NODE SERVER FOLDER. Speaks the Language Server Protocol over standard input and output. FOLDER holds
workload.yaml and env.yaml as `countersign new` made them, and the schemas of `countersign schema --editor`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LIMIT = 120


class Session:
    """A language server and the messages to and from it."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.folder = folder
        self.server = subprocess.Popen([*command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0
        self.told: dict[str, list[dict[str, Any]]] = {}
        root = folder.as_uri()
        self.ask("initialize", {
            "processId": None,
            "rootUri": root,
            "capabilities": {
                "textDocument": {"completion": {"completionItem": {"documentationFormat": ["markdown"]}}},
                "workspace": {"configuration": True},
            },
            "workspaceFolders": [{"uri": root, "name": "demo"}],
        })
        self.send({"method": "initialized", "params": {}})

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.server.stdin
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.server.stdin.flush()

    def receive(self) -> dict[str, Any]:
        out = self.server.stdout
        assert out
        length = 0
        while (line := out.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not length:
            raise SystemExit("the language server has ended")
        message: dict[str, Any] = json.loads(out.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.told[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            # It asks for settings: none are set, and the network is left alone.
            items = message.get("params", {}).get("items", [])
            answers = [
                {"schemaStore": {"enable": False}, "validate": True, "completion": True, "hover": True}
                if item.get("section") == "yaml" else None
                for item in items
            ]
            self.send({"id": message["id"], "result": answers if items else None})
        return message

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == self.number and "method" not in message:
                if "error" in message:
                    raise SystemExit(f"{method}: {message['error']}")
                return message.get("result")

    def open(self, name: str, text: str) -> tuple[str, list[dict[str, Any]]]:
        """Opens a file that says which schema it follows; returns its address and what is wrong with it."""
        uri = (self.folder / name).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while uri not in self.told:
            self.receive()
        return uri, self.told[uri]

    def end(self) -> None:
        self.ask("shutdown", {})
        self.send({"method": "exit"})
        self.server.wait(LIMIT)


def modeline(schema: str) -> str:
    return f"# yaml-language-server: $schema={schema}.schema.json\n"


def place(text: str, mark: str) -> tuple[str, dict[str, int]]:
    """The text without the mark, and where that was."""
    before = text[: text.index(mark)]
    return text.replace(mark, ""), {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


def labels(session: Session, name: str, text: str) -> dict[str, str]:
    """What is offered at the place of the mark, with what is said of it."""
    text, position = place(text, "<>")
    uri, _ = session.open(name, text)
    answer = session.ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": position})
    items = answer if isinstance(answer, list) else answer["items"]
    said: dict[str, str] = {}
    for item in items:
        documentation = item.get("documentation", "")
        said[item["label"]] = documentation["value"] if isinstance(documentation, dict) else documentation
    return said


def expect(what: str, held: bool, found: object) -> None:
    if not held:
        raise SystemExit(f"{what}: {found}")
    print(f"  {what}")


def main() -> None:
    node, server, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    session = Session([node, server], folder)

    for section in ("workload", "env"):
        own = (folder / f"{section}.yaml").read_text()
        _, found = session.open(f"own-{section}.yaml", modeline(section) + own)
        # The workload of a folder gets its archive, and so its kind, when it is packed.
        kind = [one for one in found if "compose" not in one["message"]]
        expect(f"what new wrote for {section} has nothing wrong", not kind, found)

    offered = labels(session, "complete.yaml", modeline("env") + "type: env\nlogging:\n  s<>\n")
    expect("below logging the kinds of log server are offered", {"syslog", "logRouter"} <= set(offered), offered)
    offered = labels(session, "fields.yaml", modeline("env") + "type: env\nlogging:\n  syslog:\n    <>\n")
    expect("below syslog its fields are", {"hostname", "port", "server", "cert", "key"} <= set(offered), offered)
    said = offered["hostname"]
    expect("a field is explained", "Expected:" in said, said)
    volume = "type: workload\ncompose:\n  archive: AAAA\nvolumes:\n  data:\n    filesystem: <>\n"
    offered = labels(session, "values.yaml", modeline("workload") + volume)
    expect("the values of a field are offered", {"ext4", "xfs", "btrfs"} <= set(offered), offered)

    wrong = "type: env\nlogging:\n  syslog:\n    hostname: logs.example\n    port: \"6514\"\n    server: x\n"
    _, found = session.open("port.yaml", modeline("env") + wrong)
    port = [one for one in found if one["range"]["start"]["line"] == 5]
    told = "expected a number from 1 to 65535; "
    expect("a wrong value is told at its line, in the words of check",
           any(one["message"].startswith(told) for one in port), found)
    wrong = "type: workload\ncompose:\n  archive: AAAA\nvolumes:\n  data:\n    seed: 0123456789abcdef\n    filesystem: zfs\n"
    _, found = session.open("enum.yaml", modeline("workload") + wrong)
    told = "expected one of ext4, xfs, btrfs; "
    expect("and one of a few words", any(one["message"].startswith(told) for one in found), found)
    wrong = "type: env\nlogging:\n  syslog:\n    hostnam: logs.example\n    server: x\n"
    _, found = session.open("name.yaml", modeline("env") + wrong)
    expect("a name that is not known is told", any("hostnam" in one["message"] for one in found), found)

    # A whole contract, its sections as maps.
    whole = "workload:\n  type: workload\n  compose:\n    archive: AAAA\nenv:\n  type: env\n  logging:\n    s<>\n"
    offered = labels(session, "contract.yaml", modeline("contract") + whole)
    expect("a contract's sections are completed like their files", {"syslog", "logRouter"} <= set(offered), offered)
    session.end()


if __name__ == "__main__":
    main()
