#!/usr/bin/env python3
"""A machine on a guest's second link, with a network of its own that nothing but the guest reaches.

    neighbour.py FOLDER ADDRESS/LENGTH [ADDRESS/LENGTH...]

Has to be started in a network namespace of its own, by its root. Its link is a tap device with these addresses. Frames go
to the emulator and come from it as datagrams: FOLDER/neighbour is this end, FOLDER/guest the emulator's.

A request is a line of JSON on standard input, the answer a line of JSON on standard output:

{"route": NETWORK, "via": ADDRESS}                   leads a network through the guest
{"hello": [ADDRESS, PORT], "bound": SECONDS}         connects and waits: {"said": first line} or {"error": why}
{"knock": [ADDRESS, PORT]}                           begins to connect and does not wait
{"tell": [ADDRESS, PORT], "text": TEXT}              sends a datagram; optional: "source": ADDRESS, "loose": ADDRESS (a
                                                     source route through that address)
{"segment": [ADDRESS, PORT]}                         sends a TCP segment of a connection that nobody opened
{"ping": ADDRESS}                                    sends an echo request
{"visitor": SECONDS}                                 waits for a connection to port 7000: {"from": ADDRESS} or {"error"}
{"sources": true}                                    {"sources": every source of a packet that came from the guest}
"""

import fcntl
import ipaddress
import json
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading

FOLDER, ADDRESSES = sys.argv[1], sys.argv[2:]
TAP = "tap0"
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SOURCES = set()
KNOCKS = []


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def tap():
    """A frame device; where a container's /dev lacks the node, one of the same number is made."""
    node = "/dev/net/tun"
    if not os.path.exists(node):
        node = os.path.join(tempfile.mkdtemp(), "tun")
        os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
    device = os.open(node, os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", TAP.encode(), IFF_TAP | IFF_NO_PI))
    return device


def source(frame):
    kind = frame[12:14]
    if kind == b"\x08\x00":
        return str(ipaddress.ip_address(frame[26:30]))
    if kind == b"\x86\xdd":
        return str(ipaddress.ip_address(frame[22:38]))
    return None


def to_guest(device, link):
    while frame := os.read(device, 65536):
        try:
            link.sendto(frame, os.path.join(FOLDER, "guest"))
        except OSError:
            # The emulator has not started yet, or has ended; a network loses frames.
            pass


def from_guest(device, link):
    while True:
        frame = link.recv(65536)
        if (address := source(frame)) is not None:
            SOURCES.add(address)
        os.write(device, frame)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def own(address):
    """The address of ours from which a packet to this one goes."""
    version = ipaddress.ip_address(address).version
    return next(str(one.ip) for one in map(ipaddress.ip_interface, ADDRESSES) if one.version == version)


def send(sender, target, protocol, payload, options=b""):
    """A packet as it stands here, through the kernel's routes."""
    sender, target = ipaddress.ip_address(sender), ipaddress.ip_address(target)
    pseudo = sender.packed + target.packed
    pseudo += struct.pack("!xBH", protocol, len(payload)) if target.version == 4 else struct.pack("!I3xB", len(payload), protocol)
    place = {socket.IPPROTO_UDP: 6, socket.IPPROTO_TCP: 16, socket.IPPROTO_ICMP: 2, socket.IPPROTO_ICMPV6: 2}[protocol]
    covered = payload if protocol == socket.IPPROTO_ICMP else pseudo + payload
    payload = payload[:place] + struct.pack("!H", checksum(covered) or 0xFFFF) + payload[place + 2 :]
    if target.version == 4:
        words = 5 + len(options) // 4
        head = struct.pack("!BBHHHBBH", 0x40 | words, 0, 4 * words + len(payload), 1, 0, 64, protocol, 0)
        packet = head + sender.packed + target.packed + options + payload
        kind, option = socket.AF_INET, None
    else:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
        packet = head + sender.packed + target.packed + payload
        kind, option = socket.AF_INET6, 36  # IPV6_HDRINCL
    with socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        if option is not None:
            raw.setsockopt(socket.IPPROTO_IPV6, option, 1)
        raw.sendto(packet, (str(target), 0))


def tell(request):
    address, port = request["tell"]
    sender = request.get("source", own(address))
    text = request["text"].encode()
    datagram = struct.pack("!HHHH", 40000, port, 8 + len(text), 0) + text
    hop = request.get("loose")
    if hop is None:
        send(sender, address, socket.IPPROTO_UDP, datagram)
        return
    # RFC 791: the packet goes to the first hop, the option has the way behind it, and is padded to whole words. The
    # checksum is over the last address, and what reached nobody needs none.
    option = bytes([131, 7, 4]) + ipaddress.ip_address(address).packed + b"\0"
    send(sender, hop, socket.IPPROTO_UDP, datagram, option)


def segment(request):
    address, port = request["segment"]
    head = struct.pack("!HHIIBBHHH", 40001, port, 1000, 2000, 0x50, 0x10, 1000, 0, 0)
    send(own(address), address, socket.IPPROTO_TCP, head)


def ping(request):
    address = request["ping"]
    if ipaddress.ip_address(address).version == 4:
        send(own(address), address, socket.IPPROTO_ICMP, struct.pack("!BBHHH", 8, 0, 0, 7, 1))
    else:
        send(own(address), address, socket.IPPROTO_ICMPV6, struct.pack("!BBHHH", 128, 0, 0, 7, 1))


def hello(request):
    try:
        with socket.create_connection(tuple(request["hello"]), timeout=request["bound"]) as peer:
            return {"said": peer.makefile().readline().rstrip("\n")}
    except OSError as error:
        return {"error": str(error)}


def knock(request):
    address, port = request["knock"]
    kind = socket.AF_INET if ipaddress.ip_address(address).version == 4 else socket.AF_INET6
    client = socket.socket(kind, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    client.connect_ex((address, port))
    KNOCKS.append(client)


def visitor(server, seconds):
    server.settimeout(seconds)
    try:
        peer, address = server.accept()
        peer.close()
        return {"from": address[0]}
    except OSError as error:
        return {"error": str(error)}


def answer(request, server):
    if "route" in request:
        ip("route", "add", request["route"], "via", request["via"])
    elif "hello" in request:
        return hello(request)
    elif "knock" in request:
        knock(request)
    elif "tell" in request:
        tell(request)
    elif "segment" in request:
        segment(request)
    elif "ping" in request:
        ping(request)
    elif "visitor" in request:
        return visitor(server, request["visitor"])
    elif "sources" in request:
        return {"sources": sorted(SOURCES)}
    else:
        raise ValueError(f"no such request: {request}")
    return {}


def main():
    device = tap()
    for address in ADDRESSES:
        ip("address", "add", address, "dev", TAP, *(["nodad"] if ":" in address else []))
    ip("link", "set", TAP, "up")
    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    link.bind(os.path.join(FOLDER, "neighbour"))
    for pump in (to_guest, from_guest):
        threading.Thread(target=pump, args=(device, link), daemon=True).start()
    server = socket.create_server(("", 7000))
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), server)), flush=True)


main()
