#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# vectors: keeps the kernel's use of vector registers up, as dm-crypt would
#
# usage: vectors.py
#
# Encrypts in the kernel, through AF_ALG, until it is killed. Exit status 2 if the kernel
# cannot do that.

import socket
import sys

KEY = bytes(range(64))
PIECE = bytes(32768)


def work():
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as alg:
        alg.bind(("skcipher", "xts(aes)"))
        alg.setsockopt(socket.SOL_ALG, socket.ALG_SET_KEY, KEY)
        while True:
            op, _ = alg.accept()
            with op:
                op.sendmsg_afalg([PIECE], op=socket.ALG_OP_ENCRYPT, iv=bytes(16))
                if len(op.recv(len(PIECE))) != len(PIECE):
                    sys.exit("vectors: short")


try:
    work()
except OSError as err:
    print(f"vectors: {err}", file=sys.stderr)
    sys.exit(2)
