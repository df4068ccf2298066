// SPDX-License-Identifier: GPL-2.0
/*
 * Steering: replies of ebpfs leave the network's way at its first hook.
 *
 * Two programs with one job. Each looks at a frame that was just received; if
 * it is a reply of ebpfs, the module's kfunc finds out which request waits for
 * it, writes the payload into the waiting page-cache folios, and says whether
 * the packet was used up. Every other packet goes on as if no program were
 * there, unchanged, and so does a reply that the kfunc does not want: it
 * reaches the module again through its UDP socket. The programs decide how fast
 * a block arrives, never which bytes it has.
 *
 *	ebpfs_steer_xdp	XDP, at the driver or generic: no skb is made for a
 *			packet that was taken. Declares that it understands
 *			packets in several buffers (MTU above one page).
 *	ebpfs_steer_tc	tcx ingress: behind GRO, and on veth before
 *			segmentation, so that it sees UDP super-packets whole.
 *
 * Policy: only the form of a packet counts, and optionally its UDP source port;
 * who sent it and whether it belongs to a session is the kfunc's to know. If the loader
 * says so, everything that goes to a UDP port of the module's, or of ebpfsd's, is shown to
 * the kfunc, which says what nobody there would take: that is dropped, and so is what comes
 * from too many strangers at a time (rate.h). The
 * TC program leaves the verdict on all other packets to the programs behind it
 * (TCX_NEXT).
 *
 * Context: softirq. Both need the module's BTF and are refused by the kernel
 * while the module is not loaded; while they are loaded, they hold the module.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <ebpfs/wire.h>
#include <ebpfs/steer.h>
#include "maps.h"
#include "parse.h"
#include "rate.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the programs compare wire fields without swapping: little-endian machines only"
#endif

char LICENSE[] SEC("license") = "GPL";

/* Set by the loader: only UDP from this port is looked at, 0 for any. */
const volatile __u16 ebpfs_port = 0;

extern int bpf_ebpfs_steer_xdp(struct xdp_md *ctx, struct ebpfs_steer_opts *opts,
			       u32 opts__sz) __ksym;
extern int bpf_ebpfs_steer_skb(struct __sk_buff *ctx, struct ebpfs_steer_opts *opts,
			       u32 opts__sz) __ksym;

SEC("xdp.frags")
int ebpfs_steer_xdp(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = { .flags = ebpfs_door };
	int verdict;

	verdict = ebpfs_look_xdp(ctx, ebpfs_port, &opts.l3_off, ebpfs_judge_head);
	if (verdict < 0)
		verdict = bpf_ebpfs_steer_xdp(ctx, &opts, sizeof(opts));
	if (verdict == EBPFS_STEER_PASS_STRANGER &&
	    !ebpfs_rate_pass(ctx, opts.l3_off, ebpfs_load_xdp))
		verdict = EBPFS_STEER_DROP_RATE;
	return ebpfs_count(verdict, opts.bytes) ? XDP_DROP : XDP_PASS;
}

SEC("tcx/ingress")
int ebpfs_steer_tc(struct __sk_buff *ctx)
{
	struct ebpfs_steer_opts opts = { .flags = ebpfs_door };
	int verdict;

	verdict = ebpfs_look_skb(ctx, ebpfs_port, &opts.l3_off, ebpfs_judge_head);
	if (verdict < 0)
		verdict = bpf_ebpfs_steer_skb(ctx, &opts, sizeof(opts));
	if (verdict == EBPFS_STEER_PASS_STRANGER &&
	    !ebpfs_rate_pass(ctx, opts.l3_off, ebpfs_load_skb))
		verdict = EBPFS_STEER_DROP_RATE;
	return ebpfs_count(verdict, opts.bytes) ? TCX_DROP : TCX_NEXT;
}
