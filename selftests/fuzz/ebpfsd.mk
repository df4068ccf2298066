# SPDX-License-Identifier: GPL-2.0
#
# The fuzz target of ebpfsd, for the Makefile beside it: all of the daemon but
# main() and the helpers' threads, with the linker's --wrap between it and some
# system calls (see fuzz_ebpfsd.c).

NAMES += ebpfsd

all: build/fuzz_ebpfsd build/corpus/ebpfsd

DAEMON := $(filter-out main helper privileges,$(basename $(notdir \
	  $(sort $(wildcard $(TOP)/userspace/ebpfsd/*.c)))))
DAEMON_OBJECTS := $(DAEMON:%=build/ebpfsd/%.o) build/ebpfsd/addr.o build/ebpfsd/secret.o \
		  build/change_ebpfsd.o
DAEMON_WRAP := sendmsg getrandom name_to_handle_at open_by_handle_at preadv2 io_uring_submit \
	       pwritev ftruncate unlinkat renameat2 linkat mkdirat mknodat symlinkat fchownat \
	       fchown fchmod utimensat futimens setfsuid setfsgid syscall \
	       fallocate copy_file_range pwritev2 ioctl setxattr removexattr

build/fuzz_ebpfsd: private LDLIBS += -luring
build/fuzz_ebpfsd: private SANITIZE += $(DAEMON_WRAP:%=-Wl,--wrap=%)
build/fuzz_ebpfsd: $(DAEMON_OBJECTS)

build/ebpfsd/%.o: $(TOP)/userspace/ebpfsd/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

build/ebpfsd/%.o: $(TOP)/userspace/lib/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

build/seeds_ebpfsd: build/seeds_ebpfsd.o $(OBJECTS)
	$(CC) $(SANITIZE) -fsanitize=fuzzer-no-link -o $@ $^ $(LDLIBS)

build/corpus/ebpfsd: build/seeds_ebpfsd
	@mkdir -p $(@D)
	build/seeds_ebpfsd $@

-include $(wildcard build/ebpfsd/*.d)
