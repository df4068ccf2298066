#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# genl: what the kernel answers to each command of include/uapi/ebpfs/netlink.h
#
# usage: genl.py
#
# Says for each command, by its number, the name of the error, or "OK". Every command is
# for a mount that is not there. Asks the kernel itself: ebpfsctl stops at the first "no".

import errno
import socket
import struct

GENERIC = 16                    # NETLINK_GENERIC
REQUEST, ACK, DUMP = 1, 4, 0x300
CONTROLLER, GETFAMILY, FAMILY_ID, FAMILY_NAME = 0x10, 3, 1, 2
MOUNT, NODE, ADDRESS = 2, 11, 12


def attribute(kind, value):
    size = 4 + len(value)
    return struct.pack("HH", size, kind) + value + bytes(-size % 4)


def ask(family, command, flags, attributes):
    body = struct.pack("BBH", command, 1, 0) + attributes
    # Of its own: a dump says more than what is read here.
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC) as sock:
        sock.bind((0, 0))
        sock.send(struct.pack("IHHII", 16 + len(body), family, REQUEST | flags, 1, 0) + body)
        return sock.recv(65536)


def error_of(answer):
    kind = struct.unpack_from("H", answer, 4)[0]
    number = -struct.unpack_from("i", answer, 16)[0] if kind == 2 else 0
    return errno.errorcode[number] if number else "OK"


found = ask(CONTROLLER, GETFAMILY, 0, attribute(FAMILY_NAME, b"ebpfs\0"))
at = 20
while at < len(found):
    size, kind = struct.unpack_from("HH", found, at)
    if kind == FAMILY_ID:
        family = struct.unpack_from("H", found, at + 4)[0]
    at += (size + 3) & ~3
address = struct.pack("=HHI8x", socket.AF_INET, socket.htons(20490), 0x0100007F)
mount = attribute(MOUNT, struct.pack("I", 0xFFFFFFFF))
commands = (
    (DUMP, b""),                                            # MOUNT_GET
    (DUMP, b""),                                            # NODE_GET
    (ACK, mount + attribute(ADDRESS, address)),             # NODE_ADD
    (ACK, mount + attribute(NODE, struct.pack("I", 1))),    # NODE_REMOVE
    (ACK, mount),                                           # ABORT
    (ACK, b""),                                             # STATS_GET
)
for number, (flags, attributes) in enumerate(commands, 1):
    print(number, error_of(ask(family, number, flags, attributes)))
