// SPDX-License-Identifier: GPL-2.0
/*
 * Programs for verifier.c, which call the module's kfuncs as they should, and as they
 * must not. Each is loaded by itself, and none is of any use.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <ebpfs/serve.h>
#include <ebpfs/steer.h>

char LICENSE[] SEC("license") = "GPL";

extern int bpf_ebpfs_steer_xdp(struct xdp_md *ctx, struct ebpfs_steer_opts *opts,
			       u32 opts__sz) __ksym;
extern int bpf_ebpfs_steer_skb(struct __sk_buff *ctx, struct ebpfs_steer_opts *opts,
			       u32 opts__sz) __ksym;
extern int bpf_ebpfs_serve_skb(struct __sk_buff *ctx, struct ebpfs_serve_opts *opts,
			       u32 opts__sz) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} too_small SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ebpfs_steer_opts);
} large_enough SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ebpfs_steer_opts);
} empty SEC(".maps");

/* In .rodata, which a program may not change. */
const volatile struct ebpfs_steer_opts constant = {};

/* What the kfuncs said at a hook, for verifier.c. */
int steer_said = 1, serve_said = 1;

/* Hides from the compiler what a value is, not from the verifier. */
#define HIDE(value)	asm volatile("" : "+r"(value))

/* As they should. */

SEC("?xdp.frags")
int good_xdp(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};

	return bpf_ebpfs_steer_xdp(ctx, &opts, sizeof(opts)) < 0 ? XDP_ABORTED : XDP_PASS;
}

SEC("?tcx/ingress")
int good_tc(struct __sk_buff *ctx)
{
	struct ebpfs_steer_opts steer = {};
	struct ebpfs_serve_opts serve = {};

	steer_said = bpf_ebpfs_steer_skb(ctx, &steer, sizeof(steer));
	serve_said = bpf_ebpfs_serve_skb(ctx, &serve, sizeof(serve));
	return TCX_NEXT;
}

SEC("?xdp")
int good_opts_in_a_map(struct xdp_md *ctx)
{
	u32 key = 0;
	struct ebpfs_steer_opts *opts = bpf_map_lookup_elem(&large_enough, &key);

	return opts && bpf_ebpfs_steer_xdp(ctx, opts, sizeof(*opts)) < 0 ? XDP_ABORTED : XDP_PASS;
}

/* Packets are not changed, so what was known of them is still so. */
SEC("?xdp")
int good_packet_after_the_call(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};
	const u8 *data = (const u8 *)(long)ctx->data;

	if (data + 14 > (const u8 *)(long)ctx->data_end)
		return XDP_PASS;
	if (bpf_ebpfs_steer_xdp(ctx, &opts, sizeof(opts)) < 0)
		return XDP_ABORTED;
	return data[12] == 8 ? XDP_PASS : XDP_DROP;
}

/* What loads, but the kfunc itself refuses: these return what it says. */

SEC("?tcx/egress")
int said_egress(struct __sk_buff *ctx)
{
	struct ebpfs_steer_opts steer = {};
	struct ebpfs_serve_opts serve = {};

	steer_said = bpf_ebpfs_steer_skb(ctx, &steer, sizeof(steer));
	serve_said = bpf_ebpfs_serve_skb(ctx, &serve, sizeof(serve));
	return TCX_NEXT;
}

SEC("?xdp")
int said_size_less(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};

	return bpf_ebpfs_steer_xdp(ctx, &opts, sizeof(opts) - 4);
}

SEC("?xdp")
int said_size_more(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts[2] = {};

	return bpf_ebpfs_steer_xdp(ctx, opts, sizeof(opts));
}

/* For the verifier, no bytes of no memory are memory. */
SEC("?xdp")
int said_opts_null(struct xdp_md *ctx)
{
	return bpf_ebpfs_steer_xdp(ctx, NULL, 0);
}

/* Nor has it to be looked whether memory is there (6.12). */
SEC("?xdp")
int said_opts_of_no_element(struct xdp_md *ctx)
{
	u32 key = 1;

	return bpf_ebpfs_steer_xdp(ctx, bpf_map_lookup_elem(&empty, &key),
				   sizeof(struct ebpfs_steer_opts));
}

SEC("?tc")
int said_serve_opts_of_no_element(struct __sk_buff *ctx)
{
	u32 key = 1;

	return bpf_ebpfs_serve_skb(ctx, bpf_map_lookup_elem(&empty, &key),
				   sizeof(struct ebpfs_serve_opts));
}

SEC("?xdp")
int said_flags(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = { .flags = EBPFS_DOOR_FLAGS + 1 };

	return bpf_ebpfs_steer_xdp(ctx, &opts, sizeof(opts));
}

SEC("?tc")
int said_serve_opts_null(struct __sk_buff *ctx)
{
	return bpf_ebpfs_serve_skb(ctx, NULL, 0);
}

/* In programs of other kinds. */

#define CALL_STEER_SKB(ctx) do {						\
	struct ebpfs_steer_opts opts = {};					\
	return bpf_ebpfs_steer_skb((void *)(ctx), &opts, sizeof(opts));		\
} while (0)
#define CALL_SERVE_SKB(ctx) do {						\
	struct ebpfs_serve_opts opts = {};					\
	return bpf_ebpfs_serve_skb((void *)(ctx), &opts, sizeof(opts));		\
} while (0)
#define CALL_STEER_XDP(ctx) do {						\
	struct ebpfs_steer_opts opts = {};					\
	return bpf_ebpfs_steer_xdp((void *)(ctx), &opts, sizeof(opts));		\
} while (0)

SEC("?xdp")
int kind_xdp_steer_skb(struct xdp_md *ctx)
{
	CALL_STEER_SKB(ctx);
}

SEC("?xdp")
int kind_xdp_serve_skb(struct xdp_md *ctx)
{
	CALL_SERVE_SKB(ctx);
}

SEC("?tcx/ingress")
int kind_tc_steer_xdp(struct __sk_buff *ctx)
{
	CALL_STEER_XDP(ctx);
}

SEC("?action")
int kind_action_steer_skb(struct __sk_buff *ctx)
{
	CALL_STEER_SKB(ctx);
}

SEC("?socket")
int kind_socket_steer_skb(struct __sk_buff *ctx)
{
	CALL_STEER_SKB(ctx);
}

SEC("?cgroup_skb/ingress")
int kind_cgroup_serve_skb(struct __sk_buff *ctx)
{
	CALL_SERVE_SKB(ctx);
}

SEC("?lwt_in")
int kind_lwt_steer_skb(struct __sk_buff *ctx)
{
	CALL_STEER_SKB(ctx);
}

SEC("?sk_skb/stream_verdict")
int kind_sk_skb_steer_skb(struct __sk_buff *ctx)
{
	CALL_STEER_SKB(ctx);
}

SEC("?kprobe/vfs_read")
int kind_kprobe_steer_xdp(struct pt_regs *ctx)
{
	CALL_STEER_XDP(ctx);
}

SEC("?tp/sched/sched_switch")
int kind_tracepoint_steer_skb(void *ctx)
{
	CALL_STEER_SKB(ctx);
}

SEC("?raw_tp/netif_receive_skb")
int kind_raw_tp_serve_skb(u64 *ctx)
{
	CALL_SERVE_SKB(ctx[0]);
}

/* A real skb of the kernel's, but not the program's. */
SEC("?tp_btf/netif_receive_skb")
int kind_tracing_steer_skb(u64 *ctx)
{
	CALL_STEER_SKB(ctx[0]);
}

SEC("?syscall")
int kind_syscall_steer_xdp(void *ctx)
{
	CALL_STEER_XDP(ctx);
}

/* With another context than the program's. */

SEC("?xdp")
int ctx_scalar(struct xdp_md *ctx)
{
	u64 wrong = 0xffff888000000000;

	CALL_STEER_XDP(wrong);
}

SEC("?xdp")
int ctx_null(struct xdp_md *ctx)
{
	CALL_STEER_XDP(NULL);
}

SEC("?tcx/ingress")
int ctx_serve_null(struct __sk_buff *ctx)
{
	CALL_SERVE_SKB(NULL);
}

SEC("?xdp")
int ctx_moved(struct xdp_md *ctx)
{
	CALL_STEER_XDP((u8 *)ctx + 8);
}

SEC("?tcx/ingress")
int ctx_moved_by_a_variable(struct __sk_buff *ctx)
{
	CALL_STEER_SKB((u8 *)ctx + (bpf_get_prandom_u32() & 8));
}

SEC("?xdp")
int ctx_stack(struct xdp_md *ctx)
{
	u64 wrong[8] = {};

	CALL_STEER_XDP(wrong);
}

SEC("?xdp")
int ctx_packet(struct xdp_md *ctx)
{
	CALL_STEER_XDP((long)ctx->data);
}

SEC("?tcx/ingress")
int ctx_of_a_map(struct __sk_buff *ctx)
{
	u32 key = 0;
	void *wrong = bpf_map_lookup_elem(&large_enough, &key);

	if (!wrong)
		return TCX_NEXT;
	CALL_SERVE_SKB(wrong);
}

/* With options that are not there, or not all of them. */

SEC("?xdp")
int opts_shorter_than_told(struct xdp_md *ctx)
{
	u64 small = 0;

	return bpf_ebpfs_steer_xdp(ctx, (void *)&small, sizeof(struct ebpfs_steer_opts));
}

SEC("?xdp")
int opts_map_value_too_small(struct xdp_md *ctx)
{
	u32 key = 0;
	void *small = bpf_map_lookup_elem(&too_small, &key);

	return small ? bpf_ebpfs_steer_xdp(ctx, small, sizeof(struct ebpfs_steer_opts)) : XDP_PASS;
}

SEC("?xdp")
int opts_behind_a_map_value(struct xdp_md *ctx)
{
	u32 key = 0;
	struct ebpfs_steer_opts *opts = bpf_map_lookup_elem(&large_enough, &key);

	return opts ? bpf_ebpfs_steer_xdp(ctx, opts + 1, sizeof(*opts)) : XDP_PASS;
}

SEC("?xdp")
int opts_constant(struct xdp_md *ctx)
{
	return bpf_ebpfs_steer_xdp(ctx, (void *)&constant, sizeof(constant));
}

SEC("?xdp")
int opts_null(struct xdp_md *ctx)
{
	return bpf_ebpfs_steer_xdp(ctx, NULL, sizeof(struct ebpfs_steer_opts));
}

SEC("?tcx/ingress")
int opts_serve_null(struct __sk_buff *ctx)
{
	return bpf_ebpfs_serve_skb(ctx, NULL, sizeof(struct ebpfs_serve_opts));
}

SEC("?xdp")
int opts_scalar(struct xdp_md *ctx)
{
	u64 wrong = 0xffff888000000000;

	return bpf_ebpfs_steer_xdp(ctx, (void *)wrong, sizeof(struct ebpfs_steer_opts));
}

SEC("?xdp")
int opts_unchecked_packet(struct xdp_md *ctx)
{
	return bpf_ebpfs_steer_xdp(ctx, (void *)(long)ctx->data, sizeof(struct ebpfs_steer_opts));
}

SEC("?xdp")
int opts_size_of_anything(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};

	return bpf_ebpfs_steer_xdp(ctx, &opts, bpf_get_prandom_u32());
}

SEC("?xdp")
int opts_size_variable_and_too_large(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};

	return bpf_ebpfs_steer_xdp(ctx, &opts, bpf_get_prandom_u32() & 255);
}

SEC("?xdp")
int opts_size_too_large(struct xdp_md *ctx)
{
	u32 key = 0;
	struct ebpfs_steer_opts *opts = bpf_map_lookup_elem(&large_enough, &key);

	return opts ? bpf_ebpfs_steer_xdp(ctx, opts, 1 << 20) : XDP_PASS;
}

SEC("?xdp")
int opts_size_negative(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};
	s64 size = -16;

	HIDE(size);
	return bpf_ebpfs_steer_xdp(ctx, &opts, size);
}

/* What comes back is a number, not a way into the module. */

SEC("?xdp")
int back_is_no_pointer(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};
	u64 back = bpf_ebpfs_steer_xdp(ctx, &opts, sizeof(opts));

	return *(u32 *)back;
}

SEC("?tcx/ingress")
int back_is_not_written_to(struct __sk_buff *ctx)
{
	struct ebpfs_serve_opts opts = {};
	u64 back = bpf_ebpfs_serve_skb(ctx, &opts, sizeof(opts));

	*(u32 *)back = 0;
	return TCX_NEXT;
}

SEC("?xdp")
int back_is_no_index(struct xdp_md *ctx)
{
	struct ebpfs_steer_opts opts = {};
	u32 key = 0;
	u8 *row = bpf_map_lookup_elem(&large_enough, &key);
	u64 back = bpf_ebpfs_steer_xdp(ctx, &opts, sizeof(opts));

	return row ? row[back] : XDP_PASS;
}
