# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of scripts/bench
#
# bench-peers.sh - how scripts/bench sets up what it measures, and with which settings
#
# For each kind there are four functions. They run as root in the guest; $flavour is the
# rest of the target's name, $srv what is served, $mnt where it is to be seen, $mtu that
# of the link, $tmp a directory in memory:
#
#	can_KIND	is it there? If not: prints the reason
#	up_KIND		makes network and server
#	mount_KIND	mounts in the client's network namespace, ebpfs-c1
#	down_KIND	everything is gone; nothing is mounted any more
#
# Settings. As for every target: noatime, no encryption unless it says so, no packet
# signatures, data in tmpfs, so that "sync" of a server costs no disk's time.
#
#	ebpfs	CRC32C of each fragment on, which cannot be switched off; in the modes with
#		programs the server's kernel serves ("ebpfsctl attach --serve"); MODE+SEC
#		is with sec=SEC
#	nfs4	version 4.2 and
#	nfs3	version 3 without lock manager, over TCP. 8 threads of knfsd; rsize and
#		wsize 1 MiB, the most, as nfs(5) advises; sec=sys; "sync" and
#		no_subtree_check, the defaults of exports(5). The grace period is ended
#		at once. nconnect=4 as a target of its own
#	nfs4-tls	with xprtsec=tls: tlshd on both sides does the handshake and the kernel
#		the rest, AES-256-GCM as GnuTLS chooses it; the server has a certificate
#	nfs4-wireguard	through a tunnel of the kernel's WireGuard, whose MTU is 80 less
#	smb	3.1.1 to ksmbd, without leases (6.12 crashed with them, once), rsize and
#		wsize 4 MiB, the default, which ksmbd is told to allow; cache=strict
#	9p	9P2000.L over TCP to diod with its default of 16 threads; msize 64 KiB,
#		which is all that diod grants; cache=loose: the only one of its ways that
#		keeps pages and names
#	nbd	a block device in a file on the server, ext4 on it: one client's own,
#		which no other can share: it shows what a data path costs, not more
#	cephfs	not among the packages of the guest: figures are in Documentation
#	local	the server's tmpfs itself

# The lab's network without its server: the far end of the link is moved to the first
# network namespace, where servers of the kernel are.
network_up() {
	lab up --mtu "$mtu" --no-mount && lab kill 1 || return
	ip -n ebpfs-s1 link set c1 netns 1 || return
	ip -batch - <<-END
		addr add 10.99.0.1/32 dev lo
		addr add 10.101.1.2/30 dev c1
		link set c1 up
	END
}

# For all of a run: network_up makes each link with it.
network_mtu() {
	:
}

# The link goes with the client's namespace.
network_down() {
	lab down
	ip addr del 10.99.0.1/32 dev lo
}

# need_modules NAME...
need_modules() {
	modprobe -a "$@" || { echo "the kernel has no module $*"; return 1; }
}

need_programs() {
	local name
	for name; do
		[ -n "$(type -P "$name")" ] || { echo "$name is not installed"; return 1; }
	done
}

# end_program NAME: kills all of this name and waits until they are gone.
end_program() {
	local i
	for ((i = 0; i < 50; i++)); do
		killall -q "$1" || return 0
		nap 0.2
	done
	echo "$1 does not end"
	return 1
}

can_local() {
	:
}

up_local() {
	lab up --no-mount
}

mount_local() {
	mount --bind "$srv" "$mnt"
}

down_local() {
	lab down
}

can_ebpfs() {
	need_programs ebpfsd ebpfsctl
}

up_ebpfs() {
	local serve=()
	local mode=${flavour%+*}
	[ "$mode" = off ] || serve=(--serve)
	lab up --mtu "$mtu" --steer "$mode" "${serve[@]}" --export "$srv" --no-mount
}

mount_ebpfs() {
	local sec=crc
	[[ $flavour != *+* ]] || sec=${flavour#*+}
	client mount -t ebpfs -o "noatime,name=lab-c1,secretfile=/run/ebpfs-lab/secret-1,sec=$sec" \
		10.99.0.1:/lab "$mnt"
}

down_ebpfs() {
	lab down
}

# knfsd, for both versions.
knfsd_up() {
	network_up || return
	mkdir -p /run/rpcbind /var/lib/nfs/sm /var/lib/nfs/v4recovery &&
		touch /var/lib/nfs/etab /var/lib/nfs/rmtab || return
	mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd || return
	rpcbind -w && rpc.mountd --port 20048 --no-udp &&
		exportfs -i -o rw,no_root_squash,no_subtree_check,fsid=1 "*:$srv" &&
		rpc.nfsd --no-udp 8 || return
	echo Y > /proc/fs/nfsd/v4_end_grace
}

knfsd_down() {
	rpc.nfsd 0
	exportfs -f
	exportfs -au
	end_program rpc.mountd
	end_program rpcbind
	umount /proc/fs/nfsd
	network_down
}

can_nfs4() {
	need_programs rpcbind rpc.nfsd rpc.mountd exportfs mount.nfs && need_modules nfsd nfs ||
		return
	case $flavour in
	tls)		need_programs tlshd openssl ;;
	wireguard)	need_programs wg ;;
	esac
}

up_nfs4() {
	knfsd_up || return
	case $flavour in
	tls)		tls_up ;;
	wireguard)	wireguard_up ;;
	esac
}

# A certificate of its own authority for the server, and tlshd in both namespaces.
tls_up() {
	local dir=$tmp/tls
	need_modules tls && mkdir -p "$dir" || return
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
		-subj /CN=bench -keyout "$dir/authority.key" -out "$dir/authority.pem" \
		2> "$tmp/openssl" &&
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server \
			-keyout "$dir/server.key" -out "$dir/server.csr" 2>> "$tmp/openssl" &&
		openssl x509 -req -in "$dir/server.csr" -days 3650 -CA "$dir/authority.pem" \
			-CAkey "$dir/authority.key" -CAcreateserial -out "$dir/server.pem" \
			-extfile <(echo subjectAltName=IP:10.99.0.1) 2>> "$tmp/openssl" || {
		cat "$tmp/openssl"
		return 1
	}
	chmod 600 "$dir"/*.key
	cat > "$dir/conf" <<-END || return
		[authenticate.client]
		x509.truststore=$dir/authority.pem
		[authenticate.server]
		x509.truststore=$dir/authority.pem
		x509.certificate=$dir/server.pem
		x509.private_key=$dir/server.key
	END
	tlshd -c "$dir/conf" -s > "$tmp/tlshd-server" 2>&1 {never}>&- &
	client tlshd -c "$dir/conf" -s > "$tmp/tlshd-client" 2>&1 {never}>&- &
	nap 1
}

# wireguard_end OWN PEER ADDRESS OF_PEER [ENDPOINT]: commands for one end of the tunnel
wireguard_end() {
	ip link add wg0 mtu $((mtu - 80)) type wireguard &&
		wg set wg0 private-key "$tmp/wg-$1" listen-port 51820 \
			peer "$(wg pubkey < "$tmp/wg-$2")" allowed-ips "$4/32" \
			${5:+endpoint "$5:51820"} &&
		ip addr add "$3/30" dev wg0 && ip link set wg0 up
}

wireguard_up() {
	need_modules wireguard || return
	(
		umask 077
		wg genkey > "$tmp/wg-server" && wg genkey > "$tmp/wg-client"
	) || return
	wireguard_end server client 10.102.0.2 10.102.0.1 || return
	export -f wireguard_end
	tmp=$tmp mtu=$mtu client bash -c \
		'wireguard_end client server 10.102.0.1 10.102.0.2 10.101.1.2'
}

nconnect() {
	[[ $flavour = nconnect* ]] && echo "${flavour#nconnect}" || echo 1
}

mount_nfs4() {
	local server=10.99.0.1 more=''
	case $flavour in
	tls)		more=,xprtsec=tls ;;
	wireguard)	server=10.102.0.2 ;;
	esac
	client mount -t nfs -o "noatime,vers=4.2,proto=tcp,sec=sys,rsize=1048576,wsize=1048576,nconnect=$(nconnect)$more" \
		"$server:$srv" "$mnt"
}

down_nfs4() {
	case $flavour in
	tls)		end_program tlshd ;;
	wireguard)	ip link del wg0 ;;
	esac
	knfsd_down
}

can_nfs3() {
	can_nfs4
}

up_nfs3() {
	knfsd_up
}

mount_nfs3() {
	client mount -t nfs -o "noatime,vers=3,proto=tcp,mountproto=tcp,mountport=20048,port=2049,nolock,sec=sys,rsize=1048576,wsize=1048576,nconnect=$(nconnect)" \
		"10.99.0.1:$srv" "$mnt"
}

down_nfs3() {
	knfsd_down
}

can_smb() {
	need_programs ksmbd.mountd ksmbd.adduser ksmbd.control mount.cifs && need_modules ksmbd cifs
}

up_smb() {
	network_up || return
	mkdir -p /etc/ksmbd || return
	cat > /etc/ksmbd/ksmbd.conf <<-END || return
		[global]
			server min protocol = SMB3_11
			server signing = disabled
			smb2 leases = no
			smb2 max read = 4MB
			smb2 max write = 4MB
		[bench]
			path = $srv
			read only = no
	END
	: > /etc/ksmbd/ksmbdpwd.db
	ksmbd.adduser -a -p bench root && ksmbd.mountd
}

mount_smb() {
	client mount -t cifs -o noatime,vers=3.1.1,username=root,password=bench,cache=strict \
		//10.99.0.1/bench "$mnt"
}

down_smb() {
	ksmbd.control -s
	end_program ksmbd.mountd
	rmmod ksmbd
	network_down
}

can_9p() {
	need_programs diod && need_modules 9p 9pnet_fd
}

up_9p() {
	network_up || return
	# A client whose address has no name is turned away.
	grep -q '^10.101.1.1 ' /etc/hosts || echo 10.101.1.1 client >> /etc/hosts
	diod -f -n -l 10.99.0.1:564 -e "$srv" -c /dev/null > "$tmp/diod" 2>&1 {never}>&- &
	nap 2
	pidof diod > /dev/null || { cat "$tmp/diod"; return 1; }
}

mount_9p() {
	client mount -t 9p -o "noatime,trans=tcp,port=564,version=9p2000.L,uname=root,access=user,msize=65536,cache=loose,aname=$srv" \
		10.99.0.1 "$mnt"
}

down_9p() {
	end_program diod
	network_down
}

can_nbd() {
	need_programs nbd-server nbd-client mkfs.ext4 && need_modules nbd
}

up_nbd() {
	network_up || return
	truncate -s 1400M "$srv/disk" || return
	cat > "$tmp/nbd.conf" <<-END || return
		[generic]
			listenaddr = 10.99.0.1
			user = root
			group = root
		[bench]
			exportname = $srv/disk
			flush = true
			fua = true
	END
	nbd-server -C "$tmp/nbd.conf" && nap 1 &&
		client nbd-client -nonetlink 10.99.0.1 -N bench /dev/nbd0 {never}>&- && nap 1 &&
		mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/nbd0
}

mount_nbd() {
	blockdev --flushbufs /dev/nbd0 && mount -o noatime /dev/nbd0 "$mnt"
}

down_nbd() {
	nbd-client -d -nonetlink /dev/nbd0
	end_program nbd-client
	end_program nbd-server
	rmmod nbd
	network_down
}

can_cephfs() {
	echo "not among the packages of the guest"
	return 1
}
