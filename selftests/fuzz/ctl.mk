# SPDX-License-Identifier: GPL-2.0
#
# The fuzz targets of what ebpfsctl reads, for the Makefile beside it: parts of it, with
# ctl.c for main.c, and the linker's --wrap between them and the system.

NAMES += netlink mount
sources_netlink := userspace/ebpfsctl/netlink.c
sources_mount := $(addprefix userspace/,ebpfsctl/mount_options.c ebpfsctl/mountref.c \
		   ebpfsctl/pins.c lib/addr.c)

NETLINK_WRAP := $(addprefix mnl_socket_,open2 bind close setsockopt get_portid sendto recvfrom) \
		$(addprefix mnl_attr_get_,u8 u16 u32 u64)
MOUNT_WRAP := getaddrinfo fopen opendir readdir closedir statfs bpf_obj_get

$(B)/fuzz_netlink: private LDLIBS += -lmnl -ljson-c
$(B)/fuzz_netlink: private LDFLAGS += $(NETLINK_WRAP:%=-Wl,--wrap=%)
$(B)/fuzz_netlink: $(addprefix $(B)/,ctl.o $(addprefix ebpfsctl/,netlink.o output.o) lib/addr.o)

$(B)/fuzz_mount: private LDLIBS += -lbpf
$(B)/fuzz_mount: private LDFLAGS += $(MOUNT_WRAP:%=-Wl,--wrap=%) -Wl,--wrap=write
$(B)/fuzz_mount: $(addprefix $(B)/,ctl.o text.o lib/addr.o \
				$(addprefix ebpfsctl/,mount_options.o mountref.o pins.o))

$(B)/ebpfsctl/%.o: CPPFLAGS += -Dfree=fuzz_free
$(B)/ebpfsctl/%.o: $(TOP)/userspace/ebpfsctl/%.c Makefile
	$(compile)

-include $(wildcard $(B)/ebpfsctl/*.d)
