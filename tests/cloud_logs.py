#!/usr/bin/env python3
"""Plays IBM Cloud Logs and its IAM, after their public descriptions and with Python's standard library alone.

    cloud_logs.py FOLDER PORT CERTIFICATE KEY NAME

NAME is the server's as its clients know it. With port 0 the system chooses one; it stands in FOLDER/port.

POST /identity/token   a form with grant_type and apikey; gives a token that lives for so many seconds
POST /logs/v1/singles  a JSON array of records, with that token; takes them into FOLDER/records, a line each

What breaks the descriptions is written to FOLDER/violations and refused. FOLDER/settings (JSON) is read at each request:
"api_key", "expires_in". FOLDER/faults has a line for each coming request to the log service, and FOLDER/iam-faults one
for each to IAM: "ok", a status with the seconds of Retry-After if any, "cut" (half an answer, then nothing), "cut-after"
(the same, but the records were taken), "chunked" (a good answer in chunks), "poison TEXT" (stays: records with this text
are refused with all that come beside them).
"""

import http.server
import json
import os
import re
import secrets
import socket
import ssl
import sys
import threading
import time
import urllib.parse

FOLDER, PORT, CERTIFICATE, KEY, NAME = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
GRANT = "urn:ibm:params:oauth:grant-type:apikey"
# Property of a record: its type, whether it has to be there.
PROPERTIES = {
    "applicationName": (str, True), "subsystemName": (str, True), "text": ((str, dict), True),
    "severity": (int, False), "timestamp": ((int, float), False), "computerName": (str, False),
    "category": (str, False), "className": (str, False), "methodName": (str, False), "threadId": (str, False),
    "hiResTimestamp": (str, False),
}
LOCK = threading.Lock()


def path(name):
    return os.path.join(FOLDER, name)


def append(name, text):
    with open(path(name), "a", encoding="utf-8") as file:
        file.write(text + "\n")


def read(name):
    try:
        with open(path(name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def next_fault(name):
    """Takes the first line, unless it stays."""
    lines = read(name).splitlines()
    if not lines:
        return "ok"
    if not lines[0].startswith("poison "):
        with open(path(name), "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines[1:])
    return lines[0]


def fault_of_record(record, now):
    """What is wrong with a record, if anything."""
    if not isinstance(record, dict):
        return "a record is an object"
    for name, value in record.items():
        if name not in PROPERTIES:
            return f"{name} is no property"
        if not isinstance(value, PROPERTIES[name][0]) or isinstance(value, bool):
            return f"{name} has another type"
    for name, (_, needed) in PROPERTIES.items():
        if needed and not record.get(name):
            return f"{name} is needed"
    if record.get("severity", 1) not in range(1, 7):
        return "severity is 1 to 6"
    if not now - 86_400_000 <= record.get("timestamp", now) <= now + 4 * 3_600_000:
        return "timestamp is of the last 24 hours"
    if not re.fullmatch(r"[0-9]{19}", record.get("hiResTimestamp", "0" * 19)):
        return "hiResTimestamp is nanoseconds"
    if len(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()) > 32_768:
        return "a record has 32 K"
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", fields=(), cut=False, chunked=False):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        else:
            self.send_header("Content-Length", str(len(body) + 10 if cut else len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if cut:
            # The end of the connection without a goodbye in TLS.
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
        self.close_connection = True

    def violation(self, text):
        append("violations", f"{self.path}: {text}")
        self.answer(400, json.dumps({"message": text}).encode())

    def fault(self, fault):
        """Acts on a fault; whether it was one."""
        words = fault.split()
        if words[0].isdigit():
            fields = [("Retry-After", words[1])] if len(words) > 1 else []
            self.answer(int(words[0]), b'{"message":"as the test wants"}', fields)
            return True
        if words[0] == "cut":
            self.answer(200, b"{}", cut=True)
            return True
        return False

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            return self.violation("Content-Length is needed")
        if self.headers.get("Host", "") != f"{NAME}:{server.server_port}":
            return self.violation("Host is the server's name and port")
        body = self.rfile.read(int(length))
        with LOCK:
            if self.path == "/identity/token":
                return self.token(body)
            if self.path == "/logs/v1/singles":
                return self.singles(body)
            return self.violation("no such path")

    def do_GET(self):
        self.violation("the method is POST")

    def token(self, body):
        append("exchanges", str(time.time()))
        if self.fault(next_fault("iam-faults")):
            return None
        if self.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return self.violation("a form is needed")
        form = urllib.parse.parse_qs(body.decode("ascii"), strict_parsing=True)
        if set(form) != {"grant_type", "apikey"} or form["grant_type"] != [GRANT]:
            return self.violation("grant_type and apikey are needed")
        settings = json.loads(read("settings"))
        if form["apikey"] != [settings["api_key"]]:
            text = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
            return self.answer(400, json.dumps(text).encode())
        token = "ey." + secrets.token_urlsafe(900)
        life = settings["expires_in"]
        append("tokens", f"{token} {time.time() + life}")
        answer = {
            "access_token": token, "refresh_token": "not_supported", "token_type": "Bearer",
            "expires_in": life, "expiration": int(time.time() + life), "scope": "ibm openid",
        }
        return self.answer(200, json.dumps(answer).encode())

    def is_known(self):
        bearer = self.headers.get("Authorization", "")
        for line in read("tokens").splitlines():
            token, end = line.split(" ")
            if bearer == f"Bearer {token}":
                return time.time() < float(end)
        return False

    def singles(self, body):
        fault = next_fault("faults")
        append("requests", f"{time.time():.3f} {len(body)} {fault}")
        if self.fault(fault):
            return None
        if not self.is_known():
            append("unknown", "a token that is not valid")
            return self.answer(401, b'{"message":"Unauthorized"}')
        if self.headers.get("Content-Type") != "application/json":
            return self.violation("JSON is needed")
        if len(body) > 2_000_000:
            append("violations", "a request has 2 MB")
            return self.answer(413)
        records = json.loads(body)
        if not isinstance(records, list) or not records:
            return self.violation("an array of records is needed")
        for record in records:
            if wrong := fault_of_record(record, time.time() * 1000):
                return self.violation(wrong)
            if fault.startswith("poison ") and fault.split()[1] in json.dumps(record):
                return self.answer(400, b'{"message":"as the test wants"}')
        with open(path("records"), "a", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        return self.answer(200, b"{}", cut=fault == "cut-after", chunked=fault == "chunked")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def finish_request(self, request, client_address):
        # In the thread of the connection: a slow handshake is its own affair.
        request.settimeout(60)
        try:
            request.do_handshake()
            super().finish_request(request, client_address)
        except (ssl.SSLError, OSError) as error:
            append("connections", str(error))

    def handle_error(self, request, client_address):
        append("violations", f"the server itself: {sys.exc_info()[1]!r}")


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server = Server(("127.0.0.1", PORT), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(path("port.new"), "w", encoding="utf-8") as listening:
    listening.write(str(server.server_port))
os.rename(path("port.new"), path("port"))
server.serve_forever()
