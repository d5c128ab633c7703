#!/usr/bin/env python3
"""The files of a folder over HTTPS on 127.0.0.1, as simple signatures of images are served (containers-registries.d(5)).

    lookaside.py FOLDER CERTIFICATE KEY

Prints its port on a line once it listens. What is not there is answered with 404.
"""

import functools
import http.server
import ssl
import sys

folder, certificate, key = sys.argv[1:]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files, and an error of the server's for what is called `broken`."""

    def do_GET(self):
        if "/broken/" in self.path:
            self.send_error(500)
        else:
            super().do_GET()


handler = functools.partial(Handler, directory=folder)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
# The handshake belongs to the thread of its connection: a slow client holds nobody else up.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
