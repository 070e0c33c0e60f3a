# The commands of this project; `make help` lists them. Needed: Rust, a C compiler, make; for the
# measurements what their lines name.

CARGO ?= cargo
CC ?= cc
INSTALL ?= install
PYTHON ?= python3
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME := libsk.so.0
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The library as it is shipped has a directory of its own, which the tests use too.
SHIP := $(TARGET)/ship
PROGRAMS := $(TARGET)/c-examples
EXAMPLES := $(patsubst c-examples/%.c,$(PROGRAMS)/%,$(wildcard c-examples/*.c))
# The same call as in build/library.rs, so that neither undoes the other's work.
BUILD := SK_NESTED_BUILD=1 CARGO_TARGET_DIR="$(SHIP)" $(CARGO) rustc --lib --release \
	--no-default-features --locked --crate-type=cdylib,staticlib -- --print=native-static-libs
NATIVE := $(SHIP)/native-static-libs
# Told to the scripts that measure.
MEASURED = --library "$(SHIP)/release" --native="$$(cat "$(NATIVE)")" --out "$(TARGET)/benches"

.PHONY: all
all: ## Build the shared and the static library, as they are installed
	$(BUILD)
	@CARGO_TERM_COLOR=never $(BUILD) 2>&1 | sed -n 's/^note: native-static-libs: //p' > "$(NATIVE)"
	@test -s "$(NATIVE)"

.PHONY: examples
examples: $(EXAMPLES) ## Build the C examples

$(PROGRAMS)/%: c-examples/%.c $(wildcard c-examples/*.h) include/sk.h all
	@mkdir -p "$(PROGRAMS)"
	$(CC) -std=c99 -O2 -Iinclude $< "$(SHIP)/release/libsk.a" $$(cat "$(NATIVE)") -o "$@"

.PHONY: demo
demo: ## Build everything, and let a server and a client talk to each other
	$(CARGO) build --locked --features c-examples
	@$(MAKE) --no-print-directory examples
	@sh c-examples/demo.sh "$(PROGRAMS)"

.PHONY: check
check: ## Run every test
	$(CARGO) test --locked --features c-examples

.PHONY: bench-calls
bench-calls: all ## Measure what a call costs over the raw one (valgrind, Python 3)
	CC="$(CC)" $(PYTHON) benches/calls.py $(MEASURED)

.PHONY: bench-skperf
bench-skperf: all ## Compare skperf with iperf3 (iperf3, Python 3)
	CC="$(CC)" $(PYTHON) benches/skperf.py $(MEASURED)

.PHONY: size
size: all ## Measure the library, and what it adds to a program (Python 3)
	CC="$(CC)" $(PYTHON) benches/size.py $(MEASURED) $(SIZE_FLAGS)

.PHONY: no-panic
no-panic: ## Show that no panic can be reached in the library
	@sh benches/no_panic.sh "$(TARGET)/no-panic"

.PHONY: install
install: all ## Install header, libraries and sk.pc (PREFIX, LIBDIR, INCLUDEDIR, DESTDIR)
	$(INSTALL) -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig"
	$(INSTALL) -m 644 include/sk.h "$(DESTDIR)$(INCLUDEDIR)/sk.h"
	$(INSTALL) -m 644 "$(SHIP)/release/libsk.a" "$(DESTDIR)$(LIBDIR)/libsk.a"
	$(INSTALL) -m 755 "$(SHIP)/release/libsk.so" "$(DESTDIR)$(LIBDIR)/libsk.so.$(VERSION)"
	ln -sf "libsk.so.$(VERSION)" "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	ln -sf "$(SONAME)" "$(DESTDIR)$(LIBDIR)/libsk.so"
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' \
		'Name: sk' 'Description: Sockets for C, made safe' 'Version: $(VERSION)' \
		'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lsk' \
		"Libs.private: $$(cat "$(NATIVE)")" > "$(DESTDIR)$(LIBDIR)/pkgconfig/sk.pc"

.PHONY: uninstall
uninstall: ## Remove what install put in place (with the same variables)
	rm -f "$(DESTDIR)$(INCLUDEDIR)/sk.h" "$(DESTDIR)$(LIBDIR)/libsk.a" \
		"$(DESTDIR)$(LIBDIR)/libsk.so" "$(DESTDIR)$(LIBDIR)/$(SONAME)" \
		"$(DESTDIR)$(LIBDIR)/libsk.so.$(VERSION)" "$(DESTDIR)$(LIBDIR)/pkgconfig/sk.pc"

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
