#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vectors: AES-GCM where softirqs interrupt tasks that use vector registers all the time:
# nothing is lost, no byte wrong
#
# modes: tc
# long-modes: off xdp
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 9

PATH=$here/lib:$PATH
mkdir -p "$srv"
mkdata file "$srv/file" 8M
mkdata file "$srv/new" 4M
lab_up --export "$srv" --opts sec=privacy

# What comes by a timer, as from a card, interrupts tasks; over veth alone it does not.
check "packets come by interrupts" lab netem all both delay 1ms limit 20000

# Two for each processor: one of them has always some to do.
busy() {
	local pid
	nap 2
	for pid in "${background[@]}"; do
		! zombie "$pid" || return 1
	done
}
for ((i = 0; i < 2 * $(nproc); i++)); do
	spawn nice vectors.py
done
check "the kernel encrypts for others all the time" busy || give_up "no AF_ALG"

drop_caches
check "random reads, every way" randread -s 1 -n 200 -t 4 "$srv/file" "$mnt/file"
drop_caches
check "a whole file" mkdata check "$mnt/file" 1 0 8M
check "a file is written" cp "$srv/new" "$mnt/copy"
check "and reaches the server" sync "$mnt/copy"
check "whole" cmp "$srv/new" "$srv/copy"
read_stats
note "without vector registers ${S[aes_soft]} of ${S[fill_fragments]} fragments and" \
	"${S[calls]} calls; tag ${S[drop_tag]}, memory ${S[drop_memory]}"
# In a debug kernel so much else takes time that they hardly do.
if [ "${EBPFS_SLOW:-1}" -gt 1 ] && [ "${S[aes_soft]}" = 0 ]; then
	skip "softirqs met vector registers in use" "none did in this kernel"
else
	holds "softirqs met vector registers in use" "S[aes_soft] > 0"
fi
holds "nothing was dropped for it" "S[drop_tag] == 0 && S[drop_memory] == 0"
