// SPDX-License-Identifier: GPL-2.0
/*
 * Superblocks: options, mounting, statfs, and the end.
 *
 * The source names the servers and the export: HOST[:PORT][,HOST...]:/EXPORT
 * with numeric addresses (mount.ebpfs resolves names). The client's secret
 * comes from the kernel's keyring, never from an option.
 *
 * The end: umount of an unused filesystem first aborts what is left of
 * readahead, because the VFS waits for locked folios without a way to kill it;
 * then the VFS drops its inodes, then the engine ends its traffic.
 */
#include <keys/user-type.h>
#include <linux/backing-dev.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/inet.h>
#include <linux/key-type.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "fs.h"

#define EBPFS_SUPER_MAGIC	0x65427046	/* "eBpF" */
#define EBPFS_READAHEAD		(1u << 20)	/* bytes */

enum ebpfs_param {
	Opt_actimeo,
	Opt_cipher,
	Opt_hard,
	Opt_name,
	Opt_port,
	Opt_rekey,
	Opt_rekeydatagrams,
	Opt_retrans,
	Opt_rsize,
	Opt_sec,
	Opt_slots,
	Opt_soft,
	Opt_source,
	Opt_timeo,
	Opt_ac,
	Opt_noac,
	Opt_cto,
	Opt_nocto,
};

static const struct constant_table ebpfs_secs[] = {
	{ "crc", EBPFS_SEC_CRC },
	{ "integrity", EBPFS_SEC_INTEGRITY },
	{ "privacy", EBPFS_SEC_PRIVACY },
	{}
};

static const struct constant_table ebpfs_ciphers[] = {
	{ "auto", EBPFS_FEAT_AES },
	{ "chacha20-poly1305", 0 },
	{}
};

static const struct fs_parameter_spec ebpfs_params[] = {
	fsparam_u32("actimeo", Opt_actimeo),
	fsparam_enum("cipher", Opt_cipher, ebpfs_ciphers),
	fsparam_flag("hard", Opt_hard),
	fsparam_string("name", Opt_name),
	fsparam_u32("port", Opt_port),
	fsparam_u32("rekey", Opt_rekey),
	fsparam_u64("rekeydatagrams", Opt_rekeydatagrams),
	fsparam_u32("retrans", Opt_retrans),
	fsparam_u32("rsize", Opt_rsize),
	fsparam_enum("sec", Opt_sec, ebpfs_secs),
	fsparam_u32("slots", Opt_slots),
	fsparam_flag("soft", Opt_soft),
	fsparam_string("source", Opt_source),
	fsparam_u32("timeo", Opt_timeo),
	fsparam_flag("ac", Opt_ac),
	fsparam_flag("noac", Opt_noac),
	fsparam_flag("cto", Opt_cto),
	fsparam_flag("nocto", Opt_nocto),
	{}
};

/**
 * struct ebpfs_fc - what a mount or remount is configured with
 * @sbi: the coming superblock's, handed over to it; NULL for a remount
 * @name: client's
 * @port: default port of the servers
 * @timeo: deciseconds
 * @retrans: as given
 * @rsize: bytes
 * @slots: per session
 * @actimeo: seconds
 * @sec: EBPFS_SEC_*
 * @ciphers: features that may be offered: EBPFS_FEAT_AES
 * @rekey: seconds after which there are new keys
 * @rekeydatagrams: under one key, likewise
 * @soft: or hard
 * @noac: nothing is believed, and writes are synchronous
 * @nocto: opening asks only for what is not believed any more
 */
struct ebpfs_fc {
	struct ebpfs_sb *sbi;
	char *name;
	u32 port;
	u32 timeo;
	u32 retrans;
	u32 rsize;
	u32 slots;
	u32 actimeo;
	u8 sec;
	u32 ciphers;
	u32 rekey;
	u64 rekeydatagrams;
	bool soft;
	bool noac;
	bool nocto;
};

static int ebpfs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct ebpfs_fc *cfg = fc->fs_private;
	struct fs_parse_result res;
	int opt = fs_parse(fc, ebpfs_params, param, &res);

	if (opt < 0)
		return opt;
	switch (opt) {
	case Opt_actimeo:
		if (res.uint_32 > 3600)
			return invalfc(fc, "actimeo=%u: 0 to 3600 seconds", res.uint_32);
		cfg->actimeo = res.uint_32;
		break;
	case Opt_ac:
		cfg->noac = false;
		break;
	case Opt_noac:
		cfg->noac = true;
		break;
	case Opt_cto:
		cfg->nocto = false;
		break;
	case Opt_nocto:
		cfg->nocto = true;
		break;
	case Opt_hard:
		cfg->soft = false;
		break;
	case Opt_soft:
		cfg->soft = true;
		break;
	case Opt_name:
		if (!*param->string || strlen(param->string) >= EBPFS_CLIENT_MAX)
			return invalfc(fc, "name=: 1 to %d bytes", EBPFS_CLIENT_MAX - 1);
		if (strpbrk(param->string, ", \t\n\\"))
			return invalfc(fc, "name=%s: commas, spaces and backslashes are not allowed",
				       param->string);
		kfree(cfg->name);
		cfg->name = param->string;
		param->string = NULL;
		break;
	case Opt_port:
		if (!res.uint_32 || res.uint_32 > 65535)
			return invalfc(fc, "port=%u: 1 to 65535", res.uint_32);
		cfg->port = res.uint_32;
		break;
	case Opt_rekey:
		if (!res.uint_32 || res.uint_32 > 86400)
			return invalfc(fc, "rekey=%u: 1 to 86400 seconds", res.uint_32);
		cfg->rekey = res.uint_32;
		break;
	case Opt_rekeydatagrams:
		if (!res.uint_64 || res.uint_64 > EBPFS_KEYS_DATAGRAMS)
			return invalfc(fc, "rekeydatagrams=%llu: 1 to %llu", res.uint_64,
				       EBPFS_KEYS_DATAGRAMS);
		cfg->rekeydatagrams = res.uint_64;
		break;
	case Opt_retrans:
		if (res.uint_32 > 100)
			return invalfc(fc, "retrans=%u: 0 to 100", res.uint_32);
		cfg->retrans = res.uint_32;
		break;
	case Opt_rsize:
		if (res.uint_32 < PAGE_SIZE || res.uint_32 > EBPFS_MSG_MAX ||
		    res.uint_32 % PAGE_SIZE)
			return invalfc(fc, "rsize=%u: a multiple of %lu, up to %u",
				       res.uint_32, PAGE_SIZE, EBPFS_MSG_MAX);
		cfg->rsize = res.uint_32;
		break;
	case Opt_cipher:
		cfg->ciphers = res.uint_32;
		break;
	case Opt_sec:
		cfg->sec = res.uint_32;
		break;
	case Opt_slots:
		if (!res.uint_32 || res.uint_32 > EBPFS_SLOTS_MAX)
			return invalfc(fc, "slots=%u: 1 to %u", res.uint_32, EBPFS_SLOTS_MAX);
		cfg->slots = res.uint_32;
		break;
	case Opt_source:
		/* The VFS shows it in mountinfo, and frees it. */
		if (fc->source)
			return invalfc(fc, "more than one source");
		fc->source = param->string;
		param->string = NULL;
		break;
	case Opt_timeo:
		if (!res.uint_32 || res.uint_32 > 6000)
			return invalfc(fc, "timeo=%u: 1 to 6000 tenths of a second", res.uint_32);
		cfg->timeo = res.uint_32;
		break;
	}
	return 0;
}

/* One HOST[:PORT] of the source; changes @host. */
static int ebpfs_parse_host(struct fs_context *fc, char *host, u32 port, union ebpfs_addr *addr)
{
	struct sockaddr_storage ss = {};
	char number[6], *colon, *end;
	u16 own;
	int err;

	if (*host == '[') {
		end = strchr(++host, ']');
		if (!end)
			return invalfc(fc, "source: '[%s' lacks a ']'", host);
		*end = 0;
		colon = end[1] == ':' ? end + 1 : NULL;
		if (end[1] && !colon)
			return invalfc(fc, "source: '%s' after ']'", end + 1);
	} else {
		colon = strchr(host, ':');
	}
	if (colon) {
		*colon = 0;
		if (kstrtou16(colon + 1, 10, &own) || !own)
			return invalfc(fc, "source: '%s' is not a port", colon + 1);
		port = own;
	}
	snprintf(number, sizeof(number), "%u", port);
	err = inet_pton_with_scope(fc->net_ns, AF_UNSPEC, host, number, &ss);
	if (err)
		return invalfc(fc, "source: '%s' is not a numeric address (mount.ebpfs resolves names)",
			       host);
	memcpy(addr, &ss, sizeof(*addr));
	return 0;
}

/* The servers of the source become nodes; the export is noted. */
static int ebpfs_parse_source(struct fs_context *fc, struct ebpfs_fc *cfg,
			      struct ebpfs_mount *mnt)
{
	char *copy, *hosts, *host, *export;
	int err = 0;

	copy = kstrdup(fc->source, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	hosts = copy;
	export = strstr(copy, ":/");
	if (!export || export == copy) {
		err = invalfc(fc, "source '%s' is not SERVER[:PORT][,SERVER...]:/EXPORT",
			      fc->source);
		goto out;
	}
	*export++ = 0;
	if (strlen(export) >= EBPFS_EXPORT_MAX) {
		err = invalfc(fc, "source: the export's name has %d bytes at most",
			      EBPFS_EXPORT_MAX - 1);
		goto out;
	}
	strscpy(mnt->export, export);
	mutex_lock(&mnt->nodes_lock);
	while ((host = strsep(&hosts, ","))) {
		union ebpfs_addr addr = {};
		struct ebpfs_node *node;

		err = ebpfs_parse_host(fc, host, cfg->port, &addr);
		if (err)
			break;
		node = ebpfs_node_create(mnt, &addr, NULL);
		err = PTR_ERR_OR_ZERO(node);
		if (err == -EEXIST) {
			errorfc(fc, "source: %pISpc is named twice", &addr);
			break;
		}
		if (err) {
			errorfc(fc, "cannot make a socket for %pISpc: error %d", &addr, err);
			break;
		}
	}
	mutex_unlock(&mnt->nodes_lock);
out:
	kfree(copy);
	return err;
}

/* The client's secret, from the caller's keyrings. */
static int ebpfs_get_secret(struct fs_context *fc, const char *name, u8 *secret)
{
	const struct user_key_payload *payload;
	char desc[EBPFS_CLIENT_MAX + 8];
	struct key *key;
	int err = 0;

	snprintf(desc, sizeof(desc), "ebpfs:%s", name);
	key = request_key(&key_type_logon, desc, NULL);
	if (IS_ERR(key)) {
		errorfc(fc, "no key of type logon named '%s' (mount.ebpfs adds it from secretfile=): error %ld",
			desc, PTR_ERR(key));
		return PTR_ERR(key);
	}
	down_read(&key->sem);
	payload = user_key_payload_locked(key);
	if (!payload)
		err = -EKEYREVOKED;
	else if (payload->datalen != EBPFS_SECRET_LEN)
		err = invalfc(fc, "key '%s' has %u bytes instead of %d", desc, payload->datalen,
			      EBPFS_SECRET_LEN);
	else
		memcpy(secret, payload->data, EBPFS_SECRET_LEN);
	up_read(&key->sem);
	key_put(key);
	return err;
}

static void ebpfs_sb_free(struct ebpfs_sb *sbi)
{
	unsigned int i;

	ebpfs_mount_destroy(&sbi->mnt);
	kfree(sbi->mnt.source);
	for (i = 0; i < ARRAY_SIZE(sbi->first); i++)
		kfree(sbi->first[i]);
	kfree(sbi);
}

static void ebpfs_explain(struct fs_context *fc, struct ebpfs_mount *mnt, int err)
{
	switch (err) {
	case -ETIMEDOUT:
		errorfc(fc, "no answer from any server of the source within %llu s: is ebpfsd running there, and does the network let UDP through?",
			mnt->timeo * (mnt->retrans + 1) / NSEC_PER_SEC);
		break;
	case -EACCES:
		errorfc(fc, "the server refuses client '%s': unknown name or wrong secret",
			mnt->client);
		break;
	case -EPERM:
		errorfc(fc, "the export asks for another sec= than %s: integrity, or privacy",
			ebpfs_secs[mnt->sec - EBPFS_SEC_CRC].name);
		break;
	case -ENOENT:
		errorfc(fc, "the server has no export '%s' for client '%s'", mnt->export,
			mnt->client);
		break;
	case -EKEYREJECTED:
		errorfc(fc, "the server does not know the secret of client '%s': not the server it claims to be?",
			mnt->client);
		break;
	case -EPROTONOSUPPORT:
		errorfc(fc, "the server speaks no protocol version that this module does");
		break;
	case -EBUSY:
		errorfc(fc, "the server's limit of sessions is reached");
		break;
	case -EINTR:
		break;
	default:
		errorfc(fc, "no session: error %d", err);
	}
}

static int ebpfs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct ebpfs_statfs st;
	struct ebpfs_result res;
	int err;

	err = ebpfs_call_inode(d_inode(dentry), EBPFS_OP_STATFS, 0, 0, NULL, &st, sizeof(st), &res);
	if (err)
		return err;
	if (res.total != sizeof(st) || !st.bsize)
		return -EIO;
	buf->f_type = EBPFS_SUPER_MAGIC;
	buf->f_bsize = le32_to_cpu(st.bsize);
	buf->f_frsize = buf->f_bsize;
	buf->f_blocks = le64_to_cpu(st.blocks);
	buf->f_bfree = le64_to_cpu(st.bfree);
	buf->f_bavail = le64_to_cpu(st.bavail);
	buf->f_files = le64_to_cpu(st.files);
	buf->f_ffree = le64_to_cpu(st.ffree);
	buf->f_namelen = min_t(u32, le32_to_cpu(st.namelen), EBPFS_NAME_MAX);
	buf->f_fsid = u64_to_fsid(le64_to_cpu(st.fsid));
	return 0;
}

/* sync(2), syncfs(2) and umount: what was written is on the server's stable storage
 * already (writeback.c); now names and attributes, as far as one server can do that. It
 * is not waited for if no server answers: who only wants to unmount would not get out.
 */
static int ebpfs_sync_fs(struct super_block *sb, int wait)
{
	struct ebpfs_mount *mnt = &EBPFS_SB(sb)->mnt;
	u64 changes = atomic64_read(&mnt->changes);
	struct ebpfs_written done;
	struct ebpfs_req req = {
		.op = EBPFS_OP_COMMIT,
		.count = EBPFS_COMMIT_EXPORT,
		.limit = sizeof(done),
		.buf = &done,
	};
	int err;

	if (!wait || READ_ONCE(mnt->aborted) || changes <= READ_ONCE(mnt->synced))
		return 0;
	ebpfs_req_prepare(&req, mnt);
	ebpfs_req_file(&req, d_inode(sb->s_root));
	err = ebpfs_call_patiently(&req);
	/* Should another have got further meanwhile, some are put there once more. */
	if (!err)
		WRITE_ONCE(mnt->synced, changes);
	return err;
}

/* umount -f: ends every request, so that no task stays blocked. */
static void ebpfs_umount_begin(struct super_block *sb)
{
	ebpfs_mount_abort(&EBPFS_SB(sb)->mnt);
}

static int ebpfs_show_options(struct seq_file *m, struct dentry *root)
{
	seq_putc(m, ',');
	seq_escape(m, EBPFS_SB(root->d_sb)->mnt.options, " \t\n\\");
	return 0;
}

static const struct super_operations ebpfs_sops = {
	.alloc_inode = ebpfs_inode_alloc,
	.free_inode = ebpfs_inode_free,
	.evict_inode = ebpfs_evict_inode,
	.write_inode = ebpfs_write_inode,
	.statfs = ebpfs_statfs,
	.sync_fs = ebpfs_sync_fs,
	.umount_begin = ebpfs_umount_begin,
	.show_options = ebpfs_show_options,
	.drop_inode = generic_drop_inode,
};

static void ebpfs_apply(struct ebpfs_sb *sbi, const struct ebpfs_fc *cfg)
{
	struct ebpfs_mount *mnt = &sbi->mnt;
	int n;

	mnt->timeo = (u64)cfg->timeo * (NSEC_PER_SEC / 10);
	mnt->retrans = cfg->retrans;
	mnt->soft = cfg->soft;
	sbi->actimeo_opt = cfg->actimeo;
	sbi->noac = cfg->noac;
	sbi->actimeo = cfg->noac ? 0 : cfg->actimeo * NSEC_PER_SEC;
	sbi->nocto = cfg->nocto;
	n = scnprintf(mnt->options, sizeof(mnt->options),
		      "name=%s,sec=%s,timeo=%u,retrans=%u,%s,actimeo=%u%s%s,slots=%u,rsize=%u",
		      mnt->client, ebpfs_secs[mnt->sec - EBPFS_SEC_CRC].name, cfg->timeo,
		      cfg->retrans, cfg->soft ? "soft" : "hard", cfg->actimeo,
		      cfg->noac ? ",noac" : "", cfg->nocto ? ",nocto" : "", mnt->slots, mnt->rsize);
	if (mnt->sec == EBPFS_SEC_CRC)
		return;
	n += scnprintf(mnt->options + n, sizeof(mnt->options) - n, "%s,rekey=%u",
		       cfg->ciphers ? "" : ",cipher=chacha20-poly1305", cfg->rekey);
	if (cfg->rekeydatagrams != EBPFS_KEYS_DATAGRAMS)
		scnprintf(mnt->options + n, sizeof(mnt->options) - n, ",rekeydatagrams=%llu",
			  cfg->rekeydatagrams);
}

static int ebpfs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct ebpfs_fc *cfg = fc->fs_private;
	struct ebpfs_sb *sbi = EBPFS_SB(sb);
	struct ebpfs_mount *mnt = &sbi->mnt;
	struct inode *root;
	int err;

	strscpy(mnt->client, cfg->name);
	mnt->sec = cfg->sec;
	mnt->features = EBPFS_FEAT_ALL & ~EBPFS_FEAT_AES;
	if (ebpfs_aead_fast(EBPFS_CIPHER_AES256_GCM))
		mnt->features |= cfg->ciphers;
	mnt->slots = cfg->slots;
	mnt->rsize = cfg->rsize;
	mnt->rekey = cfg->rekey * NSEC_PER_SEC;
	mnt->rekey_after = cfg->rekeydatagrams;
	sbi->ciphers = cfg->ciphers;
	ebpfs_apply(sbi, cfg);
	mnt->dev = sb->s_dev;
	mnt->source = kstrdup(fc->source, GFP_KERNEL);
	if (!mnt->source)
		return -ENOMEM;

	sbi->sb = sb;
	sb->s_magic = EBPFS_SUPER_MAGIC;
	sb->s_op = &ebpfs_sops;
	sb->s_xattr = ebpfs_xattr_handlers;
	sb->s_d_op = &ebpfs_dops;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_time_gran = 1;
	sb->s_flags |= SB_POSIXACL;
	sb->s_iflags |= SB_I_STABLE_WRITES;	/* a page's checksum goes with it */
	err = super_setup_bdi(sb);
	if (err)
		return err;
	sb->s_bdi->ra_pages = EBPFS_READAHEAD / PAGE_SIZE;
	sb->s_bdi->io_pages = EBPFS_READAHEAD / PAGE_SIZE;

	err = ebpfs_get_secret(fc, mnt->client, mnt->secret);
	if (err)
		return err;
	err = ebpfs_parse_source(fc, cfg, mnt);
	if (err)
		return err;
	err = ebpfs_mount_connect(mnt);
	if (err) {
		ebpfs_explain(fc, mnt, err);
		return err;
	}
	root = ebpfs_root(sb);
	if (IS_ERR(root)) {
		errorfc(fc, "cannot read the export's root: error %ld", PTR_ERR(root));
		return PTR_ERR(root);
	}
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static int ebpfs_get_tree(struct fs_context *fc)
{
	struct ebpfs_fc *cfg = fc->fs_private;

	if (!fc->source)
		return invalfc(fc, "no source: SERVER[:PORT][,SERVER...]:/EXPORT");
	if (!cfg->name)
		return invalfc(fc, "no name= (mount.ebpfs gives the host's name)");
	return get_tree_nodev(fc, ebpfs_fill_super);
}

static int ebpfs_reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	struct ebpfs_fc *cfg = fc->fs_private;
	struct ebpfs_sb *sbi = EBPFS_SB(sb);

	if (cfg->name && strcmp(cfg->name, sbi->mnt.client))
		return invalfc(fc, "name= cannot be changed while mounted");
	if (cfg->slots != sbi->mnt.slots || cfg->rsize != sbi->mnt.rsize)
		return invalfc(fc, "slots= and rsize= cannot be changed while mounted");
	if (cfg->sec != sbi->mnt.sec || cfg->ciphers != sbi->ciphers ||
	    cfg->rekey * NSEC_PER_SEC != sbi->mnt.rekey ||
	    cfg->rekeydatagrams != sbi->mnt.rekey_after)
		return invalfc(fc, "sec=, cipher=, rekey= and rekeydatagrams= cannot be changed while mounted");
	sync_filesystem(sb);
	ebpfs_apply(sbi, cfg);
	return 0;
}

static void ebpfs_free_fc(struct fs_context *fc)
{
	struct ebpfs_fc *cfg = fc->fs_private;

	if (fc->s_fs_info)	/* did not become a superblock's */
		ebpfs_sb_free(fc->s_fs_info);
	if (cfg) {
		kfree(cfg->name);
		kfree(cfg);
	}
}

static const struct fs_context_operations ebpfs_fc_ops = {
	.parse_param = ebpfs_parse_param,
	.get_tree = ebpfs_get_tree,
	.reconfigure = ebpfs_reconfigure,
	.free = ebpfs_free_fc,
};

static int ebpfs_init_fs_context(struct fs_context *fc)
{
	struct ebpfs_fc *cfg = kzalloc(sizeof(*cfg), GFP_KERNEL);
	struct ebpfs_sb *sbi;

	if (!cfg)
		return -ENOMEM;
	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE) {
		struct ebpfs_mount *mnt;

		sbi = EBPFS_SB(fc->root->d_sb);
		mnt = &sbi->mnt;
		cfg->port = EBPFS_PORT;
		cfg->timeo = mnt->timeo / (NSEC_PER_SEC / 10);
		cfg->retrans = mnt->retrans;
		cfg->soft = mnt->soft;
		cfg->noac = sbi->noac;
		cfg->nocto = sbi->nocto;
		cfg->actimeo = sbi->actimeo_opt;
		cfg->sec = mnt->sec;
		cfg->ciphers = sbi->ciphers;
		cfg->rekey = mnt->rekey / NSEC_PER_SEC;
		cfg->rekeydatagrams = mnt->rekey_after;
		cfg->slots = mnt->slots;
		cfg->rsize = mnt->rsize;
	} else {
		sbi = kzalloc(sizeof(*sbi), GFP_KERNEL);
		if (!sbi) {
			kfree(cfg);
			return -ENOMEM;
		}
		ebpfs_mount_init(&sbi->mnt, fc->net_ns);
		ebpfs_sb_holds_init(sbi);
		ebpfs_append_init(sbi);
		fc->s_fs_info = sbi;
		cfg->port = EBPFS_PORT;
		cfg->timeo = 50;
		cfg->retrans = 2;
		cfg->actimeo = 3;
		cfg->sec = EBPFS_SEC_CRC;
		cfg->ciphers = EBPFS_FEAT_AES;
		cfg->rekey = EBPFS_KEYS_AGE / NSEC_PER_SEC;
		cfg->rekeydatagrams = EBPFS_KEYS_DATAGRAMS;
		cfg->slots = 128;
		cfg->rsize = EBPFS_MSG_MAX;
	}
	fc->fs_private = cfg;
	fc->ops = &ebpfs_fc_ops;
	return 0;
}

static void ebpfs_kill_sb(struct super_block *sb)
{
	struct ebpfs_sb *sbi = EBPFS_SB(sb);

	/* What was changed goes to the server, unless the mount was aborted; then
	 * nothing is waited for that nobody asked for.
	 */
	if (sb->s_root && !READ_ONCE(sbi->mnt.aborted))
		sync_filesystem(sb);
	ebpfs_mount_abort(&sbi->mnt);
	ebpfs_append_exit(sbi);
	ebpfs_holds_exit(sbi);
	kill_anon_super(sb);
	ebpfs_sb_free(sbi);
}

struct file_system_type ebpfs_fs_type = {
	.owner = THIS_MODULE,
	.name = "ebpfs",
	.init_fs_context = ebpfs_init_fs_context,
	.parameters = ebpfs_params,
	.kill_sb = ebpfs_kill_sb,
};
MODULE_ALIAS_FS("ebpfs");
