#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# corrupt: bits that flip on the wire change nothing but a counter
#
# modes: tc+privacy,cipher=chacha20-poly1305
# long-modes: off tc xdp xdp-generic xdp+integrity
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 4

mkdir -p "$srv"
mkdata tree "$srv/tree" 200
mkdata file "$srv/big" 16M
lab_up --export "$srv"
check "netem on the server's side" lab netem all corrupt 3%
check "all bytes are right" treecmp -t 2 "$srv" "$mnt"
drop_caches
check "again" treecmp "$srv" "$mnt"
read_stats
note "drop_crc ${S[drop_crc]}, tag ${S[drop_tag]}, malformed ${S[drop_malformed]}, session ${S[drop_session]}," \
     "sent again ${S[calls_resent]}"
# Unsteered, most are caught by the checksum of UDP before they reach us.
if [ "$steer" = off ]; then
	holds "calls were sent again: there was corruption" "S[calls_resent] > 0"
else
	holds "wrong checksums, or tags, were found" "S[drop_crc] + S[drop_tag] > 0"
fi
