#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# options: what is wrong with a mount command is said clearly
#
# timeout: 180
#
# Each line: what is wrong, words that the message must have (an extended
# regular expression), the source and the options.

. "${0%/*}/../lib/lib.sh"

plan 33

steer=off lab_up --no-mount
mkdir -p "$mnt" "$tmp"
good=/run/ebpfs-lab/secret-1

# attempt SOURCE OPTIONS
attempt() {
	nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs -o "$2" "$1" "$mnt"
}

while IFS='~' read -r what pattern source options; do
	[ -n "$what" ] || continue
	[ -n "$source" ] || source=10.99.0.1:/lab
	refuse "$what" "$pattern" attempt "$source" "name=lab-c1,secretfile=$good,$options"
done <<'END'
an unknown option~frobnicate~~frobnicate
an unknown option with a value~colour~~colour=green
timeo of nothing~timeo~~timeo=0
timeo that is no number~timeo~~timeo=soon
timeo too large~timeo~~timeo=100000
retrans too large~retrans~~retrans=1000
slots of nothing~slots~~slots=0
too many slots~slots~~slots=5000
rsize below a page~rsize~~rsize=1024
rsize above a reply~rsize~~rsize=131072
rsize that is no multiple of a page~rsize~~rsize=5000
actimeo too large~actimeo~~actimeo=100000
a port that is none~port~~port=70000
port zero~port~~port=0
new keys never~rekey=0: 1 to 86400~~sec=privacy,rekey=0
new keys too seldom~rekey=86401~~sec=privacy,rekey=86401
new keys after no datagram~rekeydatagrams=0~~sec=privacy,rekeydatagrams=0
protection that does not exist~sec[= ]~~sec=wishful
a cipher that does not exist~cipher[= ]~~sec=privacy,cipher=rot13
a source without an export~/EXPORT~10.99.0.1~ro
a source without a server~server~:/lab~ro
a server twice~twice~10.99.0.1,10.99.0.1:/lab~ro
a bad port in the source~port~10.99.0.1:99999:/lab~ro
a bracket that is not closed~\]~[fd99::1:/lab~ro
an export that is not there~no export~10.99.0.1:/nothing~ro
a server that does not exist~no answer~10.99.0.77:/lab~timeo=5,retrans=1
a name that does not resolve~(resolve|not known|resolution|address)~no-such-host.invalid:/lab~ro
END

plain="name=lab-c1"
refuse "no secret file" "(secret|$tmp/none)" attempt 10.99.0.1:/lab "$plain,secretfile=$tmp/none"
cp "$good" "$tmp/open" && chmod 644 "$tmp/open"
refuse "a secret that others may read" "(mode|0600|permission)" \
	attempt 10.99.0.1:/lab "$plain,secretfile=$tmp/open"
(umask 077; echo nonsense > "$tmp/short")
refuse "a secret that is none" "(32 bytes|base64|key generate)" \
	attempt 10.99.0.1:/lab "$plain,secretfile=$tmp/short"
cp -p "$good" "$tmp/foreign" && chown 1000 "$tmp/foreign"
refuse "a secret of another owner" "(root|own)" \
	attempt 10.99.0.1:/lab "$plain,secretfile=$tmp/foreign"
printf -v long '%0100d' 0
refuse "a name that is too long" "name" attempt 10.99.0.1:/lab "name=$long,secretfile=$good"

check "and a right one is accepted" attempt 10.99.0.1:/lab "$plain,secretfile=$good"
