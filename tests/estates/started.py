"""hvctl and `python -m mocks` for the scripts of labs, forked from a process that has imported them: a start takes a second
of the processor, and a script has a dozen. `python -m tests.estates.started FOLDER` puts both programs into FOLDER and serves
them until it is ended."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

SHIM = """#!{python} -SE
import json, os, socket, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
if name == "python" and words[:2] != ["-m", "mocks"]:
    os.execv({python!r}, [{python!r}, *words])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({place!r})
    socket.send_fds(server, [json.dumps([name, words, os.getcwd(), dict(os.environ)]).encode() + b"\\n"], [0, 1, 2])
    sys.exit(int(server.makefile().readline()))
"""


def serve(folder: Path) -> None:
    from hvctl.__main__ import entry  # noqa: PLC0415
    from hvctl.cli import verbs  # noqa: F401, PLC0415
    from hvctl.kinds import kinds  # noqa: PLC0415
    from mocks.__main__ import main as mocks  # noqa: PLC0415

    kinds()
    place = str(folder / "socket")
    for name in ("hvctl", "python"):
        (folder / name).write_text(SHIM.format(python=sys.executable, place=place), encoding="utf-8")
        (folder / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        print("ready", flush=True)
        while True:  # one after the other, as the commands of a script are
            asking, _ = listener.accept()
            text, files, _, _ = socket.recv_fds(asking, 2**20, 3)
            while not text.endswith(b"\n"):
                text += asking.recv(2**20)
            if child := os.fork():
                for file in files:
                    os.close(file)
                _, status = os.waitpid(child, 0)
                with asking:
                    asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                continue
            for number, file in enumerate(files):
                os.dup2(file, number)
            name, words, here, environment = json.loads(text)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(here)
            sys.argv = [name, *(words if name == "hvctl" else words[2:])]
            if name == "hvctl":
                entry()
            sys.exit(mocks())


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
