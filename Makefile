# SPDX-License-Identifier: GPL-2.0-only
#
# vfio-mig: builds the modules against a kernel (KDIR=), or hands over to the
# bench, which makes everything else it needs itself.

KDIR ?= /lib/modules/$(shell uname -r)/build
BENCH := tools/testing/selftests/vfio/bench/run

# Variables of the bench; a value on make's command line or in the environment.
export KERNEL TESTS KVER MIRROR TIMEOUT FUZZ_SECONDS FUZZ_SEED MODEL SPEED

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) $(if $(MO),MO=$(MO))

.PHONY: all modules modules_install check check-long check-arm64 demo lint bench fuzz model vm in-tree clean distclean help

all: modules

modules modules_install:
	@test -e $(KDIR)/Module.symvers || \
		{ echo "no kernel to build against in $(KDIR): install its headers or give KDIR=" >&2; exit 1; }
	+$(kbuild) $@

check check-long check-arm64 demo lint bench fuzz model vm in-tree:
	@$(BENCH) $@

clean:
	$(if $(wildcard $(KDIR)/Module.symvers),+$(kbuild) clean,@echo "no kernel in $(KDIR), nothing was built with it")

distclean:
	@$(BENCH) $@

help:
	@echo 'Modules, against the running kernel or KDIR=<headers or build directory>:'
	@echo '  all              build the modules (default); MO=<directory> builds outside the tree'
	@echo '  modules_install  install them'
	@echo '  clean            remove what was built'
	@echo 'The bench, as root on Debian 12 or 13; makes all that it needs in a cache:'
	@echo '  demo             migrate a virtual machine with a simulated VF, live (stock kernel)'
	@echo '  check            build for both kernels, run the tests on them and the demo'
	@echo '  check-long       the same, with all tests on the project kernel as well, and check-arm64 (hours)'
	@echo "  check-arm64      the GPU's tests on an emulated arm64 machine with pages of 64 KiB"
	@echo '  lint             sparse, W=1, checkpatch, kernel-doc, layers, scripts'
	@echo '  bench            benchmarks of migration data, as ratios, in a VM (stock kernel)'
	@echo '  in-tree          build everything inside the kernel source, with sparse'
	@echo '  fuzz             libFuzzer on the parser of migration data; FUZZ_SECONDS=60'
	@echo '  model            search all states of a model of the locks with spin (minutes)'
	@echo '  vm               an interactive shell in a VM with the modules loaded'
	@echo '  distclean        remove the cache'
	@echo 'Variables of the bench:'
	@echo '  KERNEL=stock|project  only this kernel (check), or which one (vm; default stock, also arm64)'
	@echo "  TESTS='glob ...'      only the tests that match (check), e.g. TESTS='migration_*'"
	@echo '  FUZZ_SECONDS=<n>      fuzz for so long (fuzz; default 60)'
	@echo "  MODEL='regex'         only the searches that match (model)"
	@echo "  SPEED='name ...'      only these benchmarks (bench), see speed/main.c"
	@echo '  KVER=x.y.z            this kernel instead of the newest 7.2 on offer'
	@echo '  MIRROR=<URI>          this Debian mirror instead of the one that apt is configured for'
	@echo '  XDG_CACHE_HOME=<dir>  the cache is <dir>/vfio-mig'
