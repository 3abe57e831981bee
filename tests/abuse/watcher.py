"""A client process that is killed: it sends what it is told, each part after an answer, and reads.

Run it with a port of the loopback address and parts in base64.
"""

from __future__ import annotations

import base64
import socket
import sys


def watch(port: int, parts: list[bytes]) -> None:
    """Send the parts and read until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for part in parts:
            connection.sendall(part)
            connection.recv(65536)
        while connection.recv(65536):
            pass


if __name__ == "__main__":
    watch(int(sys.argv[1]), [base64.b64decode(part) for part in sys.argv[2:]])
