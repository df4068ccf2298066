# SPDX-License-Identifier: GPL-2.0
#
# The fuzz targets of ebpfsd, for the Makefile beside it: all of the daemon but
# main() and the helpers' threads, with the linker's --wrap between it and some
# system calls (see fuzz_ebpfsd.c); and what it reads of files, some of it alone.

NAMES += ebpfsd config files state
sources_ebpfsd := userspace/ebpfsd kmod/core/served.c kmod/core/hold.c kmod/core/handshake.c
sources_config := userspace/ebpfsd/config.c userspace/lib/addr.c
sources_files := $(addprefix userspace/,ebpfsd/clients.c ebpfsd/idmap.c lib/secret.c)
sources_state := $(addprefix userspace/ebpfsd/,boot.c grace.c intent.c settle.c orphan.c) \
		 kmod/core/intent.c

DAEMON := $(filter-out main helper privileges,$(basename $(notdir \
	  $(sort $(wildcard $(TOP)/userspace/ebpfsd/*.c)))))
DAEMON_OBJECTS := $(DAEMON:%=$(B)/ebpfsd/%.o) $(B)/lib/addr.o $(B)/lib/secret.o
DAEMON_WRAP := sendmsg getrandom name_to_handle_at open_by_handle_at preadv2 io_uring_submit \
	       pwritev ftruncate unlinkat renameat2 linkat mkdirat mknodat symlinkat fchownat \
	       fchown fchmod utimensat futimens setfsuid setfsgid syscall \
	       fallocate copy_file_range pwritev2 ioctl setxattr removexattr

$(B)/fuzz_ebpfsd: private LDLIBS += -luring
$(B)/fuzz_ebpfsd: private LDFLAGS += $(DAEMON_WRAP:%=-Wl,--wrap=%)
$(B)/fuzz_ebpfsd: $(DAEMON_OBJECTS) $(B)/change_ebpfsd.o

# It has intent.c in it.
$(B)/fuzz_state: private LDLIBS += -luring
$(B)/fuzz_state: private LDFLAGS += -Wl,--wrap=open_by_handle_at -Wl,--wrap=write
$(B)/fuzz_state: $(filter-out $(B)/ebpfsd/intent.o,$(DAEMON_OBJECTS)) $(B)/text.o

$(B)/fuzz_config: private LDFLAGS += -Wl,--wrap=write
$(B)/fuzz_config: $(addprefix $(B)/,text.o ebpfsd/config.o ebpfsd/log.o lib/addr.o)

$(B)/fuzz_files: private LDFLAGS += -Wl,--wrap=write
$(B)/fuzz_files: $(addprefix $(B)/,text.o $(addprefix ebpfsd/,clients.o config.o idmap.o log.o) \
				lib/addr.o lib/secret.o)

$(B)/ebpfsd/%.o: $(TOP)/userspace/ebpfsd/%.c Makefile
	$(compile)

$(B)/seeds_ebpfsd: $(B)/seeds_ebpfsd.o $(OBJECTS)
	$(CC) $(SANITIZE) -fsanitize=fuzzer-no-link -o $@ $^ $(LDLIBS)

build/corpus/ebpfsd: build/seeds_ebpfsd
	@mkdir -p $(@D)
	build/seeds_ebpfsd $@

-include $(wildcard $(B)/ebpfsd/*.d)
