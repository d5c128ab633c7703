#!/usr/bin/env python3
"""A machine that starts a sealed image, written from the layouts alone with the cryptography package of the distribution.

  open.py IMAGE KEY [FOLDER]

KEY is the machine's private key (PEM). Checks what the Ultravisor checks, prints what it found as JSON and, with FOLDER,
writes each component there without its padding. A check that fails ends it with a sentence.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PAGE = 4096
KINDS = {40: "kernel", 50: "initramfs", 60: "command-line", 70: "stage3b"}


def number(data, at, size=8):
    return int.from_bytes(data[at : at + size], "big")


def coordinates(key):
    numbers = key.public_numbers()
    return numbers.x.to_bytes(80, "big") + numbers.y.to_bytes(80, "big")


def expect(condition, what):
    if not condition:
        sys.exit(f"expected {what}")


def open_header(header, key):
    """The header's secret part, by the slot of this machine."""
    slots = number(header, 0x20)
    own = hashlib.sha256(coordinates(key.public_key())).digest()
    places = [0x1A0 + 80 * n for n in range(slots)]
    hashes = [header[at : at + 32] for at in places]
    expect(own in hashes, "a key slot for this machine")
    slot = places[hashes.index(own)]
    x, y = number(header, 0x40, 80), number(header, 0x90, 80)
    customer = ec.EllipticCurvePublicNumbers(x, y, ec.SECP521R1()).public_key()
    shared = key.exchange(ec.ECDH(), customer)
    wrapping = hashlib.sha256(shared + bytes([0, 0, 0, 1])).digest()
    header_key = AESGCM(wrapping).decrypt(bytes(12), header[slot + 32 : slot + 80], None)
    area = 0x1A0 + 80 * slots
    expect(len(header) == area + number(header, 0x28) + 16, "sizes that add up")
    secret = AESGCM(header_key).decrypt(header[0x10:0x1C], header[area:], header[:area])
    return secret, [one.hex() for one in hashes]


def main():
    image, key = Path(sys.argv[1]).read_bytes(), load_pem_private_key(Path(sys.argv[2]).read_bytes(), None)
    expect(image[0xC000:0xC008] == b"SeImgLnx", "metadata")
    expect(number(image, 0) == 0x0008000180011000, "a program status word that starts stage3a")
    at, block_at = number(image, 0xC008), number(image, 0xC014)
    expect(image[at : at + 8] == b"IBMSecEx" and number(image, at + 8, 4) == 0x100, "a header")
    header = image[at : at + number(image, at + 12, 4)]
    block = image[block_at : block_at + number(image, block_at, 4)]
    # stage3a finds both by distances from its arguments, which end the program.
    arguments = 0x10000 + 11224 - 24
    expect(arguments + number(image, arguments) == at, "stage3a to find the header")
    expect(number(image, arguments + 8) == len(header), "stage3a to know the header's size")
    expect(arguments + number(image, arguments + 16) == block_at, "stage3a to find the parameter block")
    # struct ipl_parameter_block with one struct ipl_pb0_pv.
    expect((block[4], block[7], number(block, 8, 4)) == (0, 1, len(block) - 8), "a parameter block")
    expect((block[12], block[111]) == (5, 1), "a part for protected guests")
    expect((number(block, 120), number(block, 128)) == (at, len(header)), "the block to know the header")

    secret, hashes = open_header(header, key)
    xts, psw, scf, items = secret[32:96], (number(secret, 96), number(secret, 104)), number(secret, 112), secret[120:]
    expect(len(secret) == 128 and items == bytes(8), "no optional items")
    pages, addresses, tweaks, count = hashlib.sha512(), hashlib.sha512(), hashlib.sha512(), 0
    plain = {}
    for place in range(136, 136 + 24 * number(block, 116, 4), 24):
        prefix, address, size = block[place : place + 8], number(block, place + 8), number(block, place + 16)
        text = bytearray()
        for offset in range(0, size, PAGE):
            page, tweak = image[address + offset : address + offset + PAGE], prefix + offset.to_bytes(8, "big")
            pages.update(page)
            addresses.update((address + offset).to_bytes(8, "big"))
            tweaks.update(tweak)
            decryptor = Cipher(algorithms.AES(xts), modes.XTS(tweak)).decryptor()
            text += decryptor.update(page) + decryptor.finalize()
            count += 1
        plain[KINDS[number(prefix, 0, 2)]] = (address, bytes(text))
    found = (pages.digest(), addresses.digest(), tweaks.digest(), count)
    expect(found == (header[0xE0:0x120], header[0x120:0x160], header[0x160:0x1A0], number(header, 0x30)), "the digests")

    # stage3b's arguments end it, and it ends with its page's padding.
    address, stage3b = plain["stage3b"]
    expect(psw == (0x180000000, address), "the guest to begin at stage3b")
    arguments = stage3b[5588 - 64 : 5588]
    expect(stage3b[5588:] == bytes(len(stage3b) - 5588), "padding of zeros")
    expect((number(arguments, 48), number(arguments, 56)) == (0x180000000, 0x10000), "the kernel to start at 0x10000")
    parts = {}
    for place, name in [(0, "kernel"), (16, "command-line"), (32, "initramfs")]:
        address, size = number(arguments, place), number(arguments, place + 8)
        expect(address == plain[name][0], f"stage3b to find the {name}")
        expect(plain[name][1][size:] == bytes(len(plain[name][1]) - size), "padding of zeros")
        parts[name] = plain[name][1][:size]
    if len(sys.argv) > 3:
        for name, text in parts.items():
            (Path(sys.argv[3]) / name).write_bytes(text)
    template = stage3b[: 5588 - 64] + bytes(64)
    answer = {name: hashlib.sha256(text).hexdigest() for name, text in {**parts, "stage3b": template}.items()}
    answer |= {"tag": header[-16:].hex(), "pld": found[0].hex(), "hosts": hashes, "pages": count}
    answer |= {"pcf": number(header, 0x38), "scf": scf, "cck": hashlib.sha256(secret[:32]).hexdigest()}
    print(json.dumps(answer))


main()
