# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of a private registry: HTTPS with a certificate of its own CA, and a password. Nothing is behind it.

registry.py PORT CERTIFICATE KEY NAME:PASSWORD
"""

from __future__ import annotations

import base64
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main(port: str, certificate: str, key: str, login: str) -> None:
    allowed = "Basic " + base64.b64encode(login.encode()).decode()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == allowed
            self.send_response(200 if known else 401)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if not known:
                self.send_header("WWW-Authenticate", 'Basic realm="registry"')
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    server = ThreadingHTTPServer(("", int(port)), Door)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
