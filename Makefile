# SPDX-License-Identifier: GPL-2.0
#
# ebpfs: kernel module, eBPF programs, user-space tools and their tests.
#
# "make help" explains the targets.  Those that test need nothing on this
# machine: scripts/vm makes a root filesystem with compilers and kernel, in
# which everything is built, and boots it.  "make all" builds right here, for
# the kernel that runs here, and needs what scripts/vm.packages lists.

# The running kernel if its headers are here, else the newest that has some.
KVER ?= $(shell test -e /lib/modules/$$(uname -r)/build && uname -r || \
	  ls -d /lib/modules/*/build 2>/dev/null | sort -V | tail -n 1 | cut -d / -f 4)
KDIR ?= /lib/modules/$(KVER)/build
PREFIX ?= /usr/local
SEEDS ?= 20000
export KVER KDIR PREFIX SEEDS

SBINDIR := $(DESTDIR)$(PREFIX)/sbin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man
COMPDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
DOCDIR  := $(DESTDIR)$(PREFIX)/share/doc/ebpfs
UNITDIR := $(DESTDIR)$(PREFIX)/lib/systemd/system
MODDIR  := $(DESTDIR)/lib/modules/$(KVER)/updates
PAGES   := $(wildcard Documentation/man/*.[58])

# Inside the build root or the guest a target runs as it is, elsewhere there.
in_root := $(if $(EBPFS_IN_ROOT),,scripts/vm --chroot --make '' --)

.PHONY: help all module bpf userspace selftests demo bench bench-pair check check-long check-debug sim fuzz mutants lint clean install uninstall

help:
	@echo 'On any Debian machine, with nothing installed before:'
	@echo '  make demo          serve and read real files in a VM, in every mode'
	@echo '  make check         build everything and run the quick tests in a VM'
	@echo '  make check-long    the same with more rounds, larger trees and further tests'
	@echo '  make check-debug   the quick tests in a kernel that looks for faults; some hours'
	@echo '  make bench         what it costs, beside NFS, SMB, 9p and NBD; half an hour'
	@echo '  make bench-pair    the same of ebpfs and NFS between two VMs'
	@echo '  make sim           run the simulator (SEEDS=N, default $(SEEDS))'
	@echo '  make fuzz          fuzz the parsers (TIME=SECONDS each, or 30m; default 60)'
	@echo '  make mutants       plant small mistakes; the tests have to find each'
	@echo '  make lint          check scripts, prose and C: style, and bugs that tools find'
	@echo '  scripts/vm         a shell in the VM; see scripts/vm --help'
	@echo
	@echo 'On a machine that is to use ebpfs (needs kernel headers and libraries):'
	@echo '  make all           build module, programs, tools and test programs'
	@echo '  make module        build ebpfs.ko only (KVER=$(KVER))'
	@echo '  make install       install them (PREFIX=$(PREFIX), DESTDIR=$(DESTDIR))'
	@echo '  make uninstall     remove what "make install" installed'
	@echo '  make clean         remove what was built'

all: module bpf userspace selftests

ifneq ($(wildcard kmod/main.c),)
# Without BTF in the module the programs find none of its kfuncs, and neither
# kbuild nor the kernel calls that an error.
module:
	@test -e $(KDIR)/Makefile || { \
		echo "No headers of a kernel in $(KDIR): install linux-headers-$(KVER)" >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
	@readelf -SW ebpfs.ko | grep -q ' \.BTF ' || { \
		echo "ebpfs.ko has no BTF: install pahole (Debian: pahole), and a $(KDIR)/vmlinux" >&2; \
		echo "with BTF (Debian's linux-headers packages bring one)" >&2; \
		rm -f ebpfs.ko; exit 1; }
else
module:
endif

bpf:
	$(MAKE) -C bpf all

userspace: bpf
	$(MAKE) -C userspace all

selftests: userspace
	$(if $(wildcard selftests/Makefile),$(MAKE) -C selftests all)

check:
	selftests/run.sh

check-long:
	selftests/run.sh --long

VARIANT ?= kasan
check-debug:
	selftests/run.sh --kernel $(VARIANT)

demo:
	scripts/demo

bench:
	scripts/bench

bench-pair:
	scripts/bench --pair

sim:
	$(in_root) $(MAKE) -C selftests sim SEEDS=$(SEEDS)

TIME ?= 60
fuzz:
	$(in_root) $(MAKE) -C selftests fuzz TIME=$(TIME)

# Tests of the server need what a file server may.
ifdef EBPFS_IN_ROOT
mutants: userspace
	$(MAKE) -C selftests mutants
else
mutants:
	scripts/vm --chroot=server --make '' -- $(MAKE) mutants
endif

lint:
	$(in_root) scripts/lint

# The programs are inside ebpfsctl.  The module goes without debugging symbols,
# which are most of it, but with its BTF.
install:
	install -d $(MODDIR) $(SBINDIR) $(DESTDIR)/sbin
	strip -g -o $(MODDIR)/ebpfs.ko ebpfs.ko
	$(if $(DESTDIR),,depmod $(KVER))
	install -t $(SBINDIR) userspace/ebpfsctl/ebpfsctl userspace/ebpfsd/ebpfsd
	ln -sf $(PREFIX)/sbin/ebpfsctl $(DESTDIR)/sbin/mount.ebpfs
	install -D -m 644 -t $(COMPDIR) userspace/ebpfsctl/completion/ebpfsctl
	install -D -m 644 -t $(DOCDIR) userspace/ebpfsd/ebpfsd.conf.example
	install -d $(UNITDIR)
	sed 's,/usr/local/sbin,$(PREFIX)/sbin,' userspace/ebpfsd/ebpfsd.service > $(UNITDIR)/ebpfsd.service
	$(foreach page,$(PAGES),install -D -m 644 -t $(MANDIR)/man$(subst .,,$(suffix $(page))) $(page);)

uninstall:
	rm -f $(MODDIR)/ebpfs.ko
	$(if $(DESTDIR),,depmod $(KVER))
	rm -f $(addprefix $(SBINDIR)/,ebpfsctl ebpfsd) $(DESTDIR)/sbin/mount.ebpfs
	rm -f $(COMPDIR)/ebpfsctl $(UNITDIR)/ebpfsd.service
	rm -rf $(DOCDIR)
	rm -f $(foreach page,$(PAGES),$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))

clean:
	$(if $(wildcard $(KDIR)/Makefile),$(MAKE) -C $(KDIR) M=$(CURDIR) clean)
	$(MAKE) -C bpf clean
	$(MAKE) -C userspace clean
	$(if $(wildcard selftests/Makefile),$(MAKE) -C selftests clean)
