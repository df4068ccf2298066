// SPDX-License-Identifier: GPL-2.0
/*
 * What ebpfsd_once.c does with names, done with bytes and extended attributes: APPEND,
 * FALLOCATE, COPY, SETXATTR and REMOVEXATTR over whom ebpfsd is killed, by itself, between
 * any two steps. Nothing is appended twice, moved twice or refused because it was done
 * already, nothing is lost, also if others do the very same before the call comes again,
 * and if of an append a part only has reached the file.
 *
 * timeout: 400
 * native
 */
#include <linux/falloc.h>
#include <sys/xattr.h>

#include "ebpfsd_once.h"

#define RANDOM_OPS	300
#define FILES		3
#define SIZE_MAX_	65536
#define PAGE		4096

static const char *attr_name = "user.one";

static void prepare_append(struct change *ch, const struct fh *fh, const void *bytes, u32 len)
{
	prepare(&c, ch, EBPFS_OP_APPEND, fh, NULL);
	memcpy(ch->data, bytes, len);
	set_data(ch, len);
}

static void prepare_space(struct change *ch, const struct fh *fh, u32 mode, u64 offset, u64 len)
{
	struct ebpfs_range range = {
		.mode = cpu_to_le32(mode), .offset = cpu_to_le64(offset), .len = cpu_to_le64(len),
	};

	prepare(&c, ch, EBPFS_OP_FALLOCATE, fh, NULL);
	memcpy(ch->data, &range, sizeof(range));
	set_data(ch, sizeof(range));
}

static void prepare_copy(struct change *ch, const struct fh *from, const struct fh *to, u64 len)
{
	struct ebpfs_copy how = { .len = cpu_to_le64(len), .fh_len = cpu_to_le16(from->len) };

	prepare(&c, ch, EBPFS_OP_COPY, to, NULL);
	memset(ch->data, 0, sizeof(how) + EBPFS_FH_MAX);
	memcpy(ch->data, &how, sizeof(how));
	memcpy(ch->data + sizeof(how), from->bytes, from->len);
	set_data(ch, sizeof(how) + (u32)((from->len + 7) & ~7));
}

static void prepare_attr(struct change *ch, const struct fh *fh, const char *name,
			 const char *value, u32 flags)
{
	prepare(&c, ch, value ? EBPFS_OP_SETXATTR : EBPFS_OP_REMOVEXATTR, fh, name);
	if (!value)
		return;
	ch->call.arg = flags;
	memcpy(ch->data, value, strlen(value));
	set_data(ch, (u32)strlen(value));
}

/**
 * struct content - what a file must have
 * @len: bytes
 * @bytes: them
 */
struct content {
	u32 len;
	u8 bytes[SIZE_MAX_];
};

static struct content want, has;

static void read_all(const char *path, struct content *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to->bytes, sizeof(to->bytes));

	to->len = n < 0 ? 0 : (u32)n;
	if (fd >= 0)
		close(fd);
}

static bool same_content(const char *path, const struct content *wanted)
{
	u32 i;

	read_all(path, &has);
	if (has.len == wanted->len && !memcmp(has.bytes, wanted->bytes, has.len))
		return true;
	for (i = 0; i < has.len && i < wanted->len && has.bytes[i] == wanted->bytes[i]; i++)
		;
	printf("# %s: %u bytes, should be %u; differ at %u\n", path, has.len, wanted->len, i);
	return false;
}

static void add(struct content *to, const void *bytes, u32 len)
{
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
}

/* A local process appends. */
static void append_here(const char *path, const void *bytes, u32 len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	EXPECT_EQ(write(fd, bytes, len), len);
	close(fd);
}

static void make(const char *name, u32 len, struct fh *fh)
{
	u8 bytes[4 * PAGE];
	u32 i;
	int fd = open(at("data/%s", name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (i = 0; i < len; i++)
		bytes[i] = (u8)(i / PAGE * 7 + i);
	EXPECT_EQ(write(fd, bytes, len), len);
	close(fd);
	memcpy(want.bytes, bytes, len);
	want.len = len;
	EXPECT_EQ(do_lookup(&c, &root, name, fh, NULL), 0);
}

enum kind { APPEND, COLLAPSE, INSERT, PUNCH, COPY, ATTR_MAKE, ATTR_REPLACE, ATTR_REMOVE, KINDS };

/* Local value of the attribute; false: it has none. */
static bool attr_is(const char *name, const char *value)
{
	char got[64];
	ssize_t n = getxattr(at("data/%s", name), attr_name, got, sizeof(got));

	if (!value)
		return n < 0 && errno == ENODATA;
	return n == (ssize_t)strlen(value) && !memcmp(got, value, (size_t)n);
}

static void check_append(int n, u64 offset, u32 len)
{
	struct ebpfs_written w;

	if (!EXPECT_EQ(n, sizeof(w)))
		return;
	memcpy(&w, buf, sizeof(w));
	EXPECT_EQ(le64_to_cpu(w.offset), offset);
	EXPECT_EQ(le32_to_cpu(w.count), len);
}

static bool one_case(enum kind kind, int point)
{
	static unsigned int number;
	char name[32], from[32], bytes[700];
	struct fh fh, source;
	struct change ch;
	unsigned int before;
	int n;

	snprintf(name, sizeof(name), "case%u", number++);
	memset(bytes, 'a' + (int)kind, sizeof(bytes));
	live(point, 1);
	make(name, kind == APPEND ? PAGE - 100 : 3 * PAGE, &fh);
	if (kind == ATTR_REPLACE || kind == ATTR_REMOVE)
		EXPECT_EQ(setxattr(at("data/%s", name), attr_name, "old", 3, 0), 0);
	switch (kind) {
	case APPEND:
		prepare_append(&ch, &fh, bytes, sizeof(bytes));
		break;
	case COLLAPSE:
		prepare_space(&ch, &fh, FALLOC_FL_COLLAPSE_RANGE, PAGE, PAGE);
		break;
	case INSERT:
		prepare_space(&ch, &fh, FALLOC_FL_INSERT_RANGE, PAGE, PAGE);
		break;
	case PUNCH:
		prepare_space(&ch, &fh, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE);
		break;
	case COPY:
		snprintf(from, sizeof(from), "from%u", number);
		make(from, 4 * PAGE, &source);
		prepare_copy(&ch, &source, &fh, 4 * PAGE);
		break;
	default:
		prepare_attr(&ch, &fh, attr_name, kind == ATTR_REMOVE ? NULL : "new",
			     kind == ATTR_MAKE ? XATTR_CREATE : XATTR_REPLACE);
		break;
	}
	before = deaths;
	n = persist(&ch, buf, sizeof(buf));
	if (n == -EOPNOTSUPP && (kind == COLLAPSE || kind == INSERT)) {
		end_life();
		return false;
	}
	if (n < 0 || deaths != before + 1)
		printf("# kind %d, point %s: status %d, %u deaths\n", kind, points[point], n,
		       deaths - before);
	EXPECT_EQ(n, sizeof(struct ebpfs_written));
	EXPECT_EQ(deaths, before + 1);
	switch (kind) {
	case APPEND:
		check_append(n, PAGE - 100, sizeof(bytes));
		add(&want, bytes, sizeof(bytes));
		break;
	case COLLAPSE:
		memmove(want.bytes + PAGE, want.bytes + 2 * PAGE, PAGE);
		want.len -= PAGE;
		break;
	case INSERT:
		memmove(want.bytes + 2 * PAGE, want.bytes + PAGE, 2 * PAGE);
		memset(want.bytes + PAGE, 0, PAGE);
		want.len += PAGE;
		break;
	case PUNCH:
		memset(want.bytes + PAGE, 0, PAGE);
		break;
	case COPY:
		EXPECT_EQ(le32_to_cpu(((struct ebpfs_written *)buf)->count), 4 * PAGE);
		break;
	default:
		EXPECT(attr_is(name, kind == ATTR_REMOVE ? NULL : "new"));
		break;
	}
	EXPECT(same_content(at("data/%s", name), &want));
	end_life();
	return true;
}

static void each_kind_at(int point)
{
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		if (!one_case(kind, point))
			printf("# kind %d is not known to the filesystem\n", kind);
}

static void killed_before_it_is_done(void) { each_kind_at(INTENT); }
static void killed_before_that_is_noted(void) { each_kind_at(MADE); }
static void killed_before_the_result_is_noted(void) { each_kind_at(EXECUTED); }
static void killed_before_the_reply(void) { each_kind_at(RESULT); }

/*
 * Others append the very same bytes between the crash and the repetition: be the first
 * done or not, in the end it is there twice, once for each.
 */
static void others_append_the_same(void)
{
	static struct content both;
	struct fh fh;
	struct change ch, other;
	char name[32];
	int point;

	for (point = INTENT; point < POINTS; point++) {
		snprintf(name, sizeof(name), "same%d", point);
		live(point, 1);
		make(name, 10, &fh);
		both = want;
		add(&both, "tick\ntick\n", 10);
		prepare_append(&ch, &fh, "tick\n", 5);
		ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
		live(-1, 0);
		prepare_append(&other, &fh, "tick\n", 5);
		check_append(try_call(&other, buf, sizeof(buf)), point == INTENT ? 10 : 15, 5);
		check_append(try_call(&ch, buf, sizeof(buf)), point == INTENT ? 15 : 10, 5);
		EXPECT(same_content(at("data/%s", name), &both));
		/* And never again. */
		end_life();
		live(-1, 0);
		check_append(try_call(&ch, buf, sizeof(buf)), point == INTENT ? 15 : 10, 5);
		EXPECT(same_content(at("data/%s", name), &both));
		end_life();
	}
}

/* The same with attributes: who makes a name is the one who is told so. */
static void others_set_the_same(void)
{
	struct fh fh;
	struct change ch, other;
	char name[32];
	int point, n;

	for (point = INTENT; point < POINTS; point++) {
		snprintf(name, sizeof(name), "attr%d", point);
		live(point, 1);
		make(name, 10, &fh);
		prepare_attr(&ch, &fh, attr_name, "mine", XATTR_CREATE);
		ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
		live(-1, 0);
		prepare_attr(&other, &fh, attr_name, "mine", XATTR_CREATE);
		n = try_call(&other, buf, sizeof(buf));
		EXPECT_EQ(n, point == INTENT ? (int)sizeof(struct ebpfs_written) : -EEXIST);
		n = try_call(&ch, buf, sizeof(buf));
		EXPECT_EQ(n, point == INTENT ? -EEXIST : (int)sizeof(struct ebpfs_written));
		end_life();

		/* Removed, and made anew by others: that stays. */
		live(point, 1);
		prepare_attr(&ch, &fh, attr_name, NULL, 0);
		ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
		live(-1, 0);
		if (point != INTENT) {
			prepare_attr(&other, &fh, attr_name, "new", XATTR_CREATE);
			EXPECT_EQ(try_call(&other, buf, sizeof(buf)), sizeof(struct ebpfs_written));
		}
		EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), sizeof(struct ebpfs_written));
		EXPECT(attr_is(name, point == INTENT ? NULL : "new"));
		/* Refused, it stays refused. */
		if (point == INTENT)
			EXPECT_EQ(setxattr(at("data/%s", name), attr_name, "new", 3, 0), 0);
		end_life();
		live(point, 1);
		prepare_attr(&ch, &fh, attr_name, "new", XATTR_CREATE);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), -EEXIST);
		prepare_attr(&ch, &fh, "user.none", NULL, 0);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), -ENODATA);
		end_life();
	}
}

/* A name that leaves no room for a note is looked for when the call comes again. */
static void long_names_in(const char *space)
{
	char name[EBPFS_NAME_MAX + 1];
	struct change ch;
	struct fh fh;
	int point;

	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, space, strlen(space));
	name[sizeof(name) - 1] = '\0';
	live(-1, 0);
	make("names", 1, &fh);
	end_life();
	for (point = INTENT; point < POINTS; point++) {
		live(point, 1);
		prepare_attr(&ch, &fh, name, "x", XATTR_CREATE);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), sizeof(struct ebpfs_written));
		end_life();
		live(point, 1);
		prepare_attr(&ch, &fh, name, NULL, 0);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), sizeof(struct ebpfs_written));
		end_life();
	}
}

static void long_names_of_attributes(void)
{
	long_names_in("user.");
}

/* What is there is seen only with a capability that the daemon's threads do not have. */
static void privileged_attributes(void)
{
	const char *plain = attr_name;
	int kind, point;

	write_file(at("data/probe"), 0600, "%s", "");
	if (setxattr(at("data/probe"), "trusted.probe", "", 0, 0))
		SKIP("files here have no trusted.*");
	attr_name = "trusted.one";
	for (point = INTENT; point < POINTS; point++)
		for (kind = ATTR_MAKE; kind <= ATTR_REMOVE; kind++)
			EXPECT(one_case(kind, point));
	attr_name = plain;
	long_names_in("trusted.");
}

/* What is left of a write that the kill has broken off at a page's end. */
static void parts_of_an_append(void)
{
	char bytes[700];
	struct change ch;
	struct fh fh;

	memset(bytes, 'p', sizeof(bytes));
	live(INTENT, 1);
	make("torn", PAGE - 100, &fh);
	prepare_append(&ch, &fh, bytes, sizeof(bytes));
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	append_here(at("data/torn"), bytes, 100);
	live(-1, 0);
	/* The part has gone already. */
	EXPECT(same_content(at("data/torn"), &want));
	append_here(at("data/torn"), "other", 5);
	check_append(try_call(&ch, buf, sizeof(buf)), PAGE - 95, sizeof(bytes));
	add(&want, "other", 5);
	add(&want, bytes, sizeof(bytes));
	EXPECT(same_content(at("data/torn"), &want));
	end_life();

	/* What somebody else has appended is no part, be it as long. */
	live(INTENT, 1);
	make("whole", PAGE - 100, &fh);
	prepare_append(&ch, &fh, bytes, sizeof(bytes));
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	append_here(at("data/whole"), "ppppp and not p", 15);
	memset(bytes, 'q', 85);
	append_here(at("data/whole"), bytes, 85);
	add(&want, "ppppp and not p", 15);
	add(&want, bytes, 85);
	memset(bytes, 'p', 85);
	live(-1, 0);
	EXPECT(same_content(at("data/whole"), &want));
	check_append(try_call(&ch, buf, sizeof(buf)), PAGE, sizeof(bytes));
	add(&want, bytes, sizeof(bytes));
	EXPECT(same_content(at("data/whole"), &want));
	end_life();

	/* Nor is it done if others appended as much, or more. */
	live(INTENT, 1);
	make("more", PAGE - 100, &fh);
	prepare_append(&ch, &fh, bytes, sizeof(bytes));
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	bytes[0] = 'o';
	append_here(at("data/more"), bytes, sizeof(bytes));
	add(&want, bytes, sizeof(bytes));
	bytes[0] = 'p';
	live(-1, 0);
	check_append(try_call(&ch, buf, sizeof(buf)), PAGE - 100 + sizeof(bytes), sizeof(bytes));
	add(&want, bytes, sizeof(bytes));
	EXPECT(same_content(at("data/more"), &want));
	end_life();
}

/* What others wrote since stays where it is, and as it is. */
static void others_write_since(void)
{
	struct fh fh, source;
	struct change ch;
	int fd, point;

	for (point = MADE; point < POINTS; point++) {
		/* Moved once. */
		live(point, 1);
		make("moved", 3 * PAGE, &fh);
		prepare_space(&ch, &fh, FALLOC_FL_COLLAPSE_RANGE, PAGE, PAGE);
		if (try_call(&ch, buf, sizeof(buf)) == -EPIPE) {
			memmove(want.bytes + PAGE, want.bytes + 2 * PAGE, PAGE);
			want.len -= PAGE;
			live(-1, 0);
			append_here(at("data/moved"), "since", 5);
			add(&want, "since", 5);
			EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), sizeof(struct ebpfs_written));
			EXPECT(same_content(at("data/moved"), &want));
		}
		end_life();
		if (point == MADE)
			continue;	/* may be done again */

		live(point, 1);
		make("source", 2 * PAGE, &source);
		make("copied", PAGE, &fh);
		prepare_copy(&ch, &source, &fh, 2 * PAGE);
		ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
		live(point, 1);
		fd = open(at("data/copied"), O_WRONLY | O_CLOEXEC);
		EXPECT_EQ(pwrite(fd, "since", 5, 0), 5);
		close(fd);
		unlink(at("data/source"));
		EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), sizeof(struct ebpfs_written));
		read_all(at("data/copied"), &has);
		EXPECT_MEM(has.bytes, "since", 5);
		end_life();
	}
}

/* Random calls, and lives that end at random: the files are what the model says. */
static void random_calls_and_deaths(void)
{
	static struct content model[FILES];
	static bool attr[FILES];
	unsigned int ops, i, before = deaths;
	struct fh fh[FILES];
	struct change ch;
	char name[16];
	u8 bytes[1000];
	u32 f, len;
	int n;

	lives.on = false;
	live(-1, 0);
	for (f = 0; f < FILES; f++) {
		snprintf(name, sizeof(name), "random%u", f);
		make(name, 0, &fh[f]);
	}
	end_life();
	memset(lives.ended, 0, sizeof(lives.ended));
	lives.on = true;
	live_at_random();
	for (ops = 0; ops < RANDOM_OPS && ktap.failures < KTAP_SHOWN_MAX; ops++) {
		f = draw(FILES);
		snprintf(name, sizeof(name), "random%u", f);
		if (draw(3)) {
			len = 1 + draw(draw(2) ? 8 : sizeof(bytes));
			memset(bytes, 'a' + (int)draw(3), len);
			if (model[f].len + len > SIZE_MAX_)
				continue;
			prepare_append(&ch, &fh[f], bytes, len);
			check_append(persist(&ch, buf, sizeof(buf)), model[f].len, len);
			add(&model[f], bytes, len);
			EXPECT(same_content(at("data/%s", name), &model[f]));
		} else if (draw(2)) {
			prepare_attr(&ch, &fh[f], attr_name, "v", XATTR_CREATE);
			n = persist(&ch, buf, sizeof(buf));
			EXPECT_EQ(n, attr[f] ? -EEXIST : (int)sizeof(struct ebpfs_written));
			attr[f] = true;
		} else {
			prepare_attr(&ch, &fh[f], attr_name, NULL, 0);
			n = persist(&ch, buf, sizeof(buf));
			EXPECT_EQ(n, attr[f] ? (int)sizeof(struct ebpfs_written) : -ENODATA);
			attr[f] = false;
		}
	}
	for (i = 0; i < POINTS; i++)
		EXPECT(lives.ended[i]);
	lives.on = false;
	printf("# %u calls, %u deaths\n", ops, deaths - before);
	end_life();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(killed_before_it_is_done),
	KTAP_TEST(killed_before_that_is_noted),
	KTAP_TEST(killed_before_the_result_is_noted),
	KTAP_TEST(killed_before_the_reply),
	KTAP_TEST(others_append_the_same),
	KTAP_TEST(others_set_the_same),
	KTAP_TEST(long_names_of_attributes),
	KTAP_TEST(privileged_attributes),
	KTAP_TEST(parts_of_an_append),
	KTAP_TEST(others_write_since),
	KTAP_TEST(random_calls_and_deaths),
};

int main(int argc, char **argv)
{
	return once_set_up() ? KTAP_MAIN(tests, argc, argv) : KTAP_EXIT_FAIL;
}
