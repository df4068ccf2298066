/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happened how often, over all seeds of a run: printed at the end, and a
 * run that is long enough fails if one of them never happened, because then
 * the simulator does not test what it says. Counted in struct world, by COUNT().
 */
#ifndef EBPFS_SIM_COUNTERS_H
#define EBPFS_SIM_COUNTERS_H

#define SIM_COUNTERS(X)							\
	X(datagrams, "datagrams sent")					\
	X(net_lost, "datagrams lost")					\
	X(net_repeated, "datagrams repeated")				\
	X(net_corrupted, "datagrams corrupted")				\
	X(net_too_large, "datagrams larger than the path")		\
	X(net_cut_off, "datagrams into a partition")			\
	X(net_overflow, "datagrams dropped by a full queue")		\
	X(requests, "requests submitted")				\
	X(done_good, "requests answered")				\
	X(done_status, "requests answered by an error number")		\
	X(done_killed, "requests killed")				\
	X(done_deadline, "requests that passed their deadline")		\
	X(done_aborted, "requests ended by an abort of the mount")	\
	X(moved, "requests moved to another session or node")		\
	X(waited, "requests that waited for a node")			\
	X(full, "times that no slot or window was left")		\
	X(batched, "calls that shared a datagram")			\
	X(retransmits, "calls sent again")				\
	X(inlined, "calls with data behind them")			\
	X(apart, "calls whose data come apart")				\
	X(data_sent, "fragments of data sent")				\
	X(needs_ignored, "requests for data that were not answered")	\
	X(needs_answered, "requests for data answered")			\
	X(data_cut, "data cut anew for another cell")			\
	X(overtaken, "calls that were gone when they were to be sent again") \
	X(claimed, "fragments claimed")					\
	X(stale, "fragments of another sequence")			\
	X(duplicate, "fragments repeated")				\
	X(instance, "fragments of another instance")			\
	X(grid, "fragments of another grid")				\
	X(range, "fragments out of range")				\
	X(cancelled, "fragments of a cancelled call")			\
	X(bad, "fragments with a wrong checksum")			\
	X(run_claimed, "runs of several fragments claimed")		\
	X(run_part, "of these, some of whose fragments were duplicates")	\
	X(run_duplicate, "runs of duplicates only")			\
	X(run_part_bad, "runs of which a part was bad")			\
	X(run_all_bad, "runs that were bad altogether")			\
	X(run_takeover, "runs that began a reply again")		\
	X(run_complete, "runs that made a reply whole")			\
	X(run_release, "runs whose call was cancelled meanwhile")	\
	X(takeover, "replies begun again by a newer instance")		\
	X(forgotten, "bindings forgotten after a wrong checksum")	\
	X(cancel_now, "cancelled at once")				\
	X(cancel_filler, "cancelled while a filler wrote")		\
	X(cancel_late, "cancelled too late")				\
	X(undo, "window decreases undone")				\
	X(executed, "calls executed")					\
	X(counted, "calls executed that must not be repeated")		\
	X(resent, "kept replies sent again")				\
	X(recut, "kept replies cut anew for another cell")		\
	X(ignored, "repetitions of a call in execution")		\
	X(data_more, "fragments of data kept")				\
	X(data_runs, "fragments of data taken several at a time")	\
	X(data_early, "fragments of data before their call")		\
	X(data_ready, "calls executed with their last fragment of data")	\
	X(data_before, "calls that came after all of their data")	\
	X(data_again, "fragments of data repeated")			\
	X(data_stale, "fragments of data of an older call or cut")	\
	X(data_bad, "fragments of data that contradict their call")	\
	X(data_recut, "data that a later attempt cut anew")		\
	X(data_dropped, "data dropped to save memory")			\
	X(data_left, "calls given up before all of their data came")	\
	X(needs, "requests for data that lack")				\
	X(contradicted, "data thrown away because the call has others")	\
	X(served_stale, "stale calls dropped by a server")		\
	X(served_slot, "calls for a slot that is not there")		\
	X(given_up, "executions whose slot had gone on")		\
	X(evicted, "kept replies dropped to save memory")		\
	X(again, "repetitions executed again after that")		\
	X(once_calls, "calls of operations that must not be done twice")	\
	X(once_done, "such operations done")				\
	X(once_answered, "such requests answered")			\
	X(once_kills, "servers killed between two steps of one")	\
	X(once_known, "such calls answered from the log")		\
	X(once_begun, "such calls that a former life had begun")	\
	X(once_recognised, "such operations recognised as done")	\
	X(once_settled, "operations looked for at a server's start")	\
	X(once_torn, "parts of appends cut off then")			\
	X(once_busy, "such calls that came while they were executed")	\
	X(once_waited, "times that one waited for its file's lock")	\
	X(sessions, "sessions made")					\
	X(accept_again, "repeated proofs answered alike")		\
	X(guard_opened, "datagrams with guards that were opened")	\
	X(guard_key, "that had keys that are not known")		\
	X(guard_tag, "that were not authentic")				\
	X(guard_again, "that came before")				\
	X(guard_bare, "datagrams that lacked a guard")			\
	X(rekeys_asked, "times that new keys were asked for")		\
	X(rekeys_again, "times that they were told again")		\
	X(rekeys_refused, "times that they were refused")		\
	X(rekeys, "times that there were new keys")			\
	X(rejects, "handshakes refused")				\
	X(wrong_secret, "proofs with a wrong secret refused")		\
	X(old_cookie, "cookies refused as too old")			\
	X(spent, "proofs of sessions that have ended, or were refused")	\
	X(bad_cookie, "cookies refused")				\
	X(impostor, "servers refused by a client")			\
	X(unknown, "hints that a session is not known")			\
	X(lost, "nodes lost")						\
	X(heard, "lost nodes heard again")				\
	X(rejoined, "sessions replaced by new ones")			\
	X(blackholes, "paths that swallow large datagrams")		\
	X(probes, "probes of a path")					\
	X(asks, "questions whether a server lives")			\
	X(grown, "path sizes found by probing")				\
	X(crashes, "servers crashed")					\
	X(partitions, "partitions")					\
	X(node_changes, "nodes added or removed")			\
	X(byes, "sessions ended by their client")			\
	X(former, "sessions ended since their client used a later one")	\
	X(forgeries, "forged datagrams")				\
	X(replays, "replayed datagrams")				\
	X(dead_nodes, "servers that never came back")			\
	X(held_leases, "leases granted")				\
	X(held_opens, "files held open")				\
	X(held_refused, "holds refused, in part at least")		\
	X(held_used, "things used under a lease")			\
	X(held_changes, "changes of what may be held")			\
	X(held_parked, "changes that waited for leases")		\
	X(held_parked_several, "of these, while others waited")	\
	X(held_names_moved, "changes whose names meant something else by then") \
	X(held_dropped, "such calls that were not executed any more")	\
	X(held_late, "answers that nobody wanted")			\
	X(held_killed, "calls about holds that were killed")		\
	X(held_recalls, "recalls")					\
	X(held_recalls_again, "recalls repeated")			\
	X(held_recalled, "recalls answered")				\
	X(held_overtaken, "grants overtaken by their recall")		\
	X(held_disordered, "grants overtaken by later ones")		\
	X(held_silenced, "answers kept back from who does not answer a recall") \
	X(held_fenced, "owners fenced")					\
	X(held_expired, "owners not heard of for too long")		\
	X(held_unknown, "datagrams of sessions that had ended")		\
	X(held_silent, "clients cut off for longer than the lease time") \
	X(held_sessions, "sessions of owners")				\
	X(held_lost, "clients that lost what they held")		\
	X(held_reclaims, "open files held again")			\
	X(held_outlived, "leases of a server's former life, overtaken")	\
	X(held_probes, "probes to keep what is held")			\
	X(held_releases, "files let go of")				\
	X(held_after_release, "grants overtaken by letting go")	\
	X(held_strict, "owners that had let go of everything at the end") \
	X(held_orphans, "files that lost their last name while open")	\
	X(held_orphans_gone, "of these, gone with their last holder")	\
	X(held_crashes, "servers crashed that held something")		\
	X(held_crashes_parked, "of these, while changes waited")

enum sim_counter {
#define X(name, text) C_##name,
	SIM_COUNTERS(X)
#undef X
	C_MAX
};

#endif /* EBPFS_SIM_COUNTERS_H */
