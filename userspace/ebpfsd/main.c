// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd, the storage daemon: options, start, signals, stop. See ebpfsd(8).
 *
 * Everything that needs privileges happens here before the first thread:
 * configuration, secrets, exports, sockets; then the privileges go. Afterwards
 * this thread waits for signals, and once a second drops what is idle.
 */
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "boot.h"
#include "grant.h"
#include "log.h"
#include "orphan.h"
#include "privileges.h"
#include "serve.h"
#include "server.h"
#include "stats.h"
#include "tick.h"
#include "worker.h"

#define STOP_TIME	1500	/* ms for what is running when told to stop */
#define PORT_WAIT	2000	/* ms for another to let go of the port */
#define PORT_PAUSE	50	/* ms */
#define LOCKS_MAX	65536	/* descriptors for locks, if there are four times as many */
#define FILES_RESERVE	512	/* descriptors that are neither the file cache's nor locks' */

struct daemon {
	struct server server;
	sem_t started;
	struct worker *workers[CONFIG_THREADS_MAX];
	struct config config;
	unsigned int nworkers;		/* made */
	unsigned int running;		/* started */
};

static const char usage[] =
"usage: ebpfsd [-c FILE] [-e /NAME=PATH[,OPTION...]]... [-l ADDR[:PORT]]...\n"
"              [-k FILE] [-s DIR] [-t N] [--check-config] [-v]\n"
"\n"
"  -c, --config FILE       configuration (default " CONFIG_FILE ")\n"
"  -e, --export NAME=PATH  export a directory to all clients; replaces the file's exports\n"
"                          OPTION: ro (default), rw, root_squash (default),\n"
"                          no_root_squash, all_squash, privileged_xattrs,\n"
"                          watch, sec=SEC, anonuid=N, anongid=N\n"
"  -l, --listen ADDR       listen there; replaces what the file says\n"
"  -k, --clients FILE      names and secrets of the clients\n"
"  -s, --state-dir DIR     where the key of the file handles is kept\n"
"  -t, --threads N         worker threads\n"
"      --check-config      tell every mistake in the configuration, and end\n"
"  -v, --verbose           log sessions coming and going\n"
"  -h, --help              this text\n";

/**
 * struct options - the command line, to be applied after the file was read
 */
struct options {
	const char *config;
	const char *exports[CONFIG_EXPORTS_MAX + 1];
	unsigned int nexports;
	const char *listens[CONFIG_LISTENS_MAX + 1];
	unsigned int nlistens;
	const char *clients;
	const char *state_dir;
	const char *threads;
	bool check;
};

static void parse_options(int argc, char **argv, struct options *o)
{
	enum { CHECK = 256 };
	static const struct option longs[] = {
		{ "config",	required_argument,	NULL, 'c' },
		{ "export",	required_argument,	NULL, 'e' },
		{ "listen",	required_argument,	NULL, 'l' },
		{ "clients",	required_argument,	NULL, 'k' },
		{ "state-dir",	required_argument,	NULL, 's' },
		{ "threads",	required_argument,	NULL, 't' },
		{ "check-config", no_argument,		NULL, CHECK },
		{ "verbose",	no_argument,		NULL, 'v' },
		{ "help",	no_argument,		NULL, 'h' },
		{ 0 }
	};
	int opt;

	memset(o, 0, sizeof(*o));
	while ((opt = getopt_long(argc, argv, "c:e:l:k:s:t:vh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 'e':
			if (o->nexports < ARRAY_SIZE(o->exports))
				o->exports[o->nexports++] = optarg;
			break;
		case 'l':
			if (o->nlistens < ARRAY_SIZE(o->listens))
				o->listens[o->nlistens++] = optarg;
			break;
		case 'k':
			o->clients = optarg;
			break;
		case 's':
			o->state_dir = optarg;
			break;
		case 't':
			o->threads = optarg;
			break;
		case CHECK:
			o->check = true;
			break;
		case 'v':
			log_set_verbose(true);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		log_error("unexpected argument \"%s\"; see ebpfsd --help", argv[optind]);
		exit(2);
	}
}

static void configure(struct config *c, const struct options *o)
{
	unsigned int i;

	config_init(c);
	/* Without -c all may come from the command line. */
	config_read(c, o->config ? o->config : CONFIG_FILE, o->config);
	if (o->nexports)
		config_forget_exports(c);
	for (i = 0; i < o->nexports; i++)
		config_add_export(c, o->exports[i]);
	if (o->nlistens)
		config_forget_listens(c);
	for (i = 0; i < o->nlistens; i++)
		config_add_listen(c, o->listens[i], "-l");
	if (o->threads)
		config_set_threads(c, o->threads, "-t");
	if (o->clients)
		config_set_path(c, &c->clients, o->clients, "-k");
	if (o->state_dir)
		config_set_path(c, &c->state_dir, o->state_dir, "-s");
	config_finish(c);
}

/* Tell systemd, if that started us and asked for it: sd_notify(3). */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(addr.sun_path))
		return;
	strcpy(addr.sun_path, path);
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

/* An ebpfsd that was killed keeps its port until the kernel has cleared its rings. */
static int open_patiently(struct listener *l, const union ebpfs_sockaddr *addr, bool first)
{
	const struct timespec pause = { .tv_nsec = PORT_PAUSE * 1000000l };
	unsigned int waited;
	int err;

	for (waited = 0; ; waited += PORT_PAUSE) {
		err = listener_open(l, addr, first);
		if (err != -EADDRINUSE || waited >= PORT_WAIT)
			return err;
		nanosleep(&pause, NULL);
	}
}

static bool open_listeners(struct daemon *d, struct worker *w)
{
	unsigned int i;

	for (i = 0; i < d->config.nlistens; i++) {
		const union ebpfs_sockaddr *addr = &d->config.listens[i];
		char text[EBPFS_ADDR_TEXT];
		int err = open_patiently(&w->listeners[w->nlisteners], addr, !w->index);

		if (!err) {
			w->nlisteners++;
			continue;
		}
		/* A machine without IPv6, or without IPv4, serves by what it has. */
		if (d->config.listens_default && (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL))
			continue;
		errno = -err;
		ebpfs_addr_format(addr, true, text);
		if (err == -EADDRINUSE)
			log_error("cannot listen on %s: %m (is another ebpfsd running? "
				  "-l chooses another address or port)", text);
		else
			log_error("cannot listen on %s: %m", text);
		return false;
	}
	if (!w->nlisteners)
		log_error("no address to listen on: this machine has neither IPv4 nor IPv6");
	return w->nlisteners;
}

static bool make_workers(struct daemon *d)
{
	while (d->nworkers < d->config.threads) {
		struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~63ul);

		if (!w) {
			log_error("no memory for %u threads", d->config.threads);
			return false;
		}
		memset(w, 0, sizeof(*w));
		w->srv = &d->server;
		w->index = d->nworkers;
		w->started = &d->started;
		w->stop_fd = eventfd(0, EFD_CLOEXEC);
		d->workers[d->nworkers++] = w;
		if (w->stop_fd < 0) {
			log_error("no eventfd for a worker: %m");
			return false;
		}
		if (!open_listeners(d, w))
			return false;
	}
	return true;
}

static bool start_threads(struct daemon *d)
{
	/* Each may be waiting for a disk to have written what was committed. */
	unsigned int helpers = d->config.threads < 2 ? 8 : 4 * d->config.threads;
	unsigned int i;
	int err;

	err = helpers_start(&d->server.helpers, &d->server, helpers);
	if (!err)
		err = owners_start(&d->server.owners);
	if (!err)
		err = holds_start(&d->server.holds);
	if (!err)
		err = watch_start(&d->server.watch);
	for (i = 0; !err && i < d->nworkers; i++) {
		err = -pthread_create(&d->workers[i]->thread, NULL, worker_run, d->workers[i]);
		if (!err)
			d->running++;
	}
	if (err) {
		errno = -err;
		log_error("threads cannot be started: %m");
		return false;
	}
	for (i = 0; i < d->running; i++)
		sem_wait(&d->started);
	for (i = 0; i < d->running; i++)
		if (d->workers[i]->error)
			return false;
	return true;
}

/* All that can fail. */
static bool start(struct daemon *d)
{
	struct server *srv = &d->server;
	unsigned int files = privileges_raise_files(), locks;

	if (tick_start()) {
		log_error("no random numbers: %m");
		return false;
	}
	if (exports_open(&srv->exports, &d->config, false))
		return false;
	if (clients_init(&srv->clients) ||
	    clients_read(&srv->clients, d->config.clients, handshake_clock()))
		return false;
	if (!clients_count(&srv->clients))
		log_warning("%s lists no clients: nobody can mount yet (add lines and send "
			    "SIGHUP)", d->config.clients);
	if (getrandom(srv->handshake.cookie_key, sizeof(srv->handshake.cookie_key), 0) < 0 ||
	    getrandom(srv->source_key, sizeof(srv->source_key), 0) < 0 ||
	    getrandom(&srv->instance, sizeof(srv->instance), 0) < 0) {
		log_error("the kernel gives no random numbers: %m");
		return false;
	}
	srv->verifier = srv->instance;
	if (exports_writable(&srv->exports)) {
		srv->boot = boot_start(&d->config);
		srv->proc_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (srv->proc_fds < 0) {
			log_error("/proc/self/fd cannot be opened: %m (writable exports need /proc "
				  "to be mounted)");
			return false;
		}
		srv->intents = intent_log_open(&d->config, &srv->exports);
	}
	files = files > 2 * FILES_RESERVE ? files - FILES_RESERVE : files / 2;
	locks = files / 4 < LOCKS_MAX ? files / 4 : LOCKS_MAX;
	files -= locks;
	if (files_init(&srv->files, files < FILES_MAX ? files : FILES_MAX) ||
	    sessions_init(&srv->sessions, &srv->clients, d->config.sessions_max,
			  d->config.reply_cache)) {
		log_error("no memory to start");
		return false;
	}
	owners_init(&srv->owners, srv, CONFIG_OWNERS(d->config.sessions_max), d->config.lease);
	locks_init(&srv->locks, locks, d->config.locks_max);
	srv->handshake_rate = d->config.handshake_rate;
	srv->owners.drop_locks = locks_drop;
	srv->owners.drop_holds = holds_drop;
	creds_limit(d->config.users_max);
	if (holds_init(&srv->holds, srv, srv->owners.lease, d->config.holds_max,
		       d->config.waiting_max) ||
	    orphans_start(srv, srv->owners.lease)) {
		log_error("no memory to start");
		return false;
	}
	srv->owners.tick = grace_tick;
	grace_start(&srv->grace, &d->config, now_ms());
	srv->files.last = serve_last;
	srv->files.last_arg = srv;
	srv->files.held = orphan_open;
	srv->files.kept = orphan_kept;
	return !watch_open(&srv->watch, srv) &&
	       make_workers(d) &&
	       !privileges_drop(exports_writable(&srv->exports),
				exports_privileged_xattrs(&srv->exports)) &&
	       start_threads(d);
}

static void say_ready(struct daemon *d)
{
	char line[512], addr[EBPFS_ADDR_TEXT];
	size_t len = 0;
	unsigned int i;

	line[0] = '\0';
	for (i = 0; i < d->workers[0]->nlisteners && len < sizeof(line); i++)
		len += snprintf(line + len, sizeof(line) - len, " %s",
				ebpfs_addr_format(&d->workers[0]->listeners[i].addr, true, addr));
	log_info("ready: %u export%s, %zu client%s, %u thread%s, listening on%s",
		 d->config.nexports, d->config.nexports == 1 ? "" : "s",
		 clients_count(&d->server.clients),
		 clients_count(&d->server.clients) == 1 ? "" : "s",
		 d->nworkers, d->nworkers == 1 ? "" : "s", line);
	notify("READY=1");
}

static void reload(struct daemon *d)
{
	if (clients_read(&d->server.clients, d->config.clients, handshake_clock())) {
		log_error("%s was not taken over: the clients stay as they were",
			  d->config.clients);
		return;
	}
	sessions_revoke(&d->server.sessions);
	owners_revoke(&d->server.owners, &d->server.clients);
	log_info("read %s again: %zu client%s", d->config.clients,
		 clients_count(&d->server.clients),
		 clients_count(&d->server.clients) == 1 ? "" : "s");
}

static void serve(struct daemon *d, const sigset_t *signals)
{
	const struct timespec tick = { .tv_sec = 1 };
	struct server *srv = &d->server;

	for (;;) {
		u32 holds, leases, parked;
		u64 now;

		switch (sigtimedwait(signals, NULL, &tick)) {
		case SIGTERM:
		case SIGINT:
			return;
		case SIGHUP:
			reload(d);
			break;
		case SIGUSR1:
			holds_count(&srv->holds, &holds, &leases, &parked);
			if (log_writable(STDOUT_FILENO))
				stats_print(stdout, sessions_count(&srv->sessions),
					    READ_ONCE(srv->sessions.reply_bytes),
					    READ_ONCE(srv->sessions.data_bytes),
					    files_count(&srv->files), holds, leases, parked);
			break;
		}
		now = now_ms();
		grant_tick(&srv->sessions, d->workers[0]->listeners,
			   d->workers[0]->nlisteners);
		files_tick(&srv->files, now);
		sessions_tick(&srv->sessions, now);
	}
}

/* Let threads end what they have begun. Return: true if all did. */
static bool stop_threads(struct daemon *d)
{
	struct timespec deadline;
	const u64 one = 1;
	bool all = true;
	unsigned int i;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_nsec += STOP_TIME * 1000000ll;
	deadline.tv_sec += deadline.tv_nsec / 1000000000;
	deadline.tv_nsec %= 1000000000;
	for (i = 0; i < d->running; i++)
		if (write(d->workers[i]->stop_fd, &one, sizeof(one)) < 0)
			all = false;
	for (i = 0; i < d->running; i++)
		if (pthread_timedjoin_np(d->workers[i]->thread, NULL, &deadline))
			all = false;
	if (!owners_stop(&d->server.owners, &deadline))
		all = false;
	if (!watch_stop(&d->server.watch, &deadline))
		all = false;
	if (!holds_stop(&d->server.holds, &deadline))
		all = false;
	return helpers_stop(&d->server.helpers, &deadline) && all;
}

static void free_all(struct daemon *d)
{
	unsigned int i, j;

	for (i = 0; i < d->nworkers; i++) {
		struct worker *w = d->workers[i];

		for (j = 0; j < w->nlisteners; j++)
			listener_close(&w->listeners[j]);
		if (w->stop_fd >= 0)
			close(w->stop_fd);
		free(w);
	}
	grant_stop();
	sessions_fini(&d->server.sessions);
	locks_fini(&d->server.locks);
	owners_fini(&d->server.owners);
	grace_stop(&d->server.grace);
	watch_close(&d->server.watch);
	holds_fini(&d->server.holds);
	orphans_stop();
	files_fini(&d->server.files);
	clients_fini(&d->server.clients);
	intent_log_close(d->server.intents);
	exports_close(&d->server.exports);
	if (d->server.proc_fds >= 0)
		close(d->server.proc_fds);
	explicit_bzero(&d->server.handshake, sizeof(d->server.handshake));
	config_free(&d->config);
}

static int check_config(struct daemon *d)
{
	unsigned int mistakes = d->config.mistakes;

	mistakes += exports_open(&d->server.exports, &d->config, true);
	if (!clients_init(&d->server.clients))
		mistakes += clients_read(&d->server.clients, d->config.clients, handshake_clock());
	if (mistakes)
		log_error("%u mistake%s in the configuration", mistakes, mistakes == 1 ? "" : "s");
	else
		log_info("the configuration is right");
	return mistakes ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct options options;
	sigset_t signals;
	unsigned int i;
	int ret = 0;

	parse_options(argc, argv, &options);
	privileges_harden();
	/* Replies are allocated by one thread and freed by another: with an arena
	 * for each, much more memory would lie about than reply-cache says. */
	mallopt(M_ARENA_MAX, 2);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* EFBIG is for the client */
	d.server.proc_fds = -1;
	d.server.watch.fd = -1;
	d.server.watch.stop_fd = -1;
	sem_init(&d.started, 0, 0);

	configure(&d.config, &options);
	if (options.check)
		return check_config(&d);
	if (d.config.mistakes) {
		log_error("%u mistake%s in the configuration: not started", d.config.mistakes,
			  d.config.mistakes == 1 ? "" : "s");
		return 1;
	}
	if (start(&d)) {
		say_ready(&d);
		serve(&d, &signals);
		notify("STOPPING=1");
		log_info("stopping");
	} else {
		ret = 1;
	}
	if (!stop_threads(&d)) {
		/* A disk that does not answer; their memory is in use. */
		log_warning("not everything that was running ended in time");
		_exit(ret);
	}
	if (!ret)
		boot_end(&d.server.exports);
	for (i = 0; i < d.running; i++)
		if (d.workers[i]->error)
			ret = 1;
	free_all(&d);
	return ret;
}
