# The commands of this project; `make help` lists them. Needed: Rust, a C compiler, make; for the
# measurements what their lines name.

CARGO ?= cargo
CC ?= cc
INSTALL ?= install
PYTHON ?= python3
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DESTDIR ?=

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME := libsk.so.0
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The library as it is shipped has a directory of its own, which the tests use too.
SHIP := $(TARGET)/ship
PROGRAMS := $(TARGET)/c-examples
DEB := $(TARGET)/deb
EXAMPLES := $(patsubst c-examples/%.c,$(PROGRAMS)/%,$(wildcard c-examples/*.c))
# The same call as in build/library.rs, so that neither undoes the other's work.
BUILD := SK_NESTED_BUILD=1 CARGO_TARGET_DIR="$(SHIP)" $(CARGO) rustc --lib --release \
	--no-default-features --features=full --locked --crate-type=cdylib,staticlib -- --print=native-static-libs
NATIVE := $(SHIP)/native-static-libs
# Told to the scripts that measure.
BESIDE = --library "$(SHIP)/release" --native="$$(cat "$(NATIVE)")"
MEASURED = $(BESIDE) --out "$(TARGET)/benches"
PICTURES = $(TARGET)/bench-venv/bin/python

# What stands between two @ in the templates of packaging/. None of it has a ; in it: see `where`.
# Root may have a umask that leaves others nothing.
FILL = umask 022 && sed -e 's;@PREFIX@;$(PREFIX);' -e 's;@LIBDIR@;$(LIBDIR);' -e 's;@INCLUDEDIR@;$(INCLUDEDIR);' \
	-e 's;@VERSION@;$(VERSION);' -e 's;@SONAME@;$(SONAME);' -e "s;@NATIVE@;$$(cat "$(NATIVE)");"

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
demo: ## Build everything, and take a short tour of the C examples
	$(CARGO) build --locked --features c-examples
	@$(MAKE) --no-print-directory examples
	@sh c-examples/demo.sh "$(PROGRAMS)"

.PHONY: check
check: ## Run every test
	$(CARGO) test --locked --features c-examples --no-fail-fast

.PHONY: torture
torture: ## Make every system call of the library fail in every way, one by one (takes minutes)
	SK_TORTURE=full nice -n 19 $(CARGO) test --locked --test torture

.PHONY: fuzz
fuzz: ## Fuzz each target for SECONDS=30 (clang, Python 3; installs cargo-fuzz where it is missing)
	CARGO="$(CARGO)" nice -n 10 $(PYTHON) fuzz/run.py --out "$(TARGET)/fuzz" --seconds $(or $(SECONDS),30) $(FUZZ)

.PHONY: soak
soak: all ## Use everything at once, for MINUTES=20, and see that nothing breaks
	@mkdir -p "$(TARGET)/soak"
	$(CC) -std=c11 -Wall -Wextra -Wconversion -pedantic -Werror -O1 -g -Iinclude tests/soak/*.c "$(SHIP)/release/libsk.a" \
		$$(cat "$(NATIVE)") -pthread -o "$(TARGET)/soak/soak"
	"$(TARGET)/soak/soak" --minutes $(or $(MINUTES),20)

.PHONY: cross
cross: ## Run the C tests on other processors and on musl; FULL=1: all of them (rustup, qemu-user)
	$(PYTHON) tests/cross/run.py --out "$(TARGET)/cross" $(if $(FULL),--full)

.PHONY: check-systems
check-systems: ## Type-check the library for FreeBSD and macOS (rustup)
	@CARGO="$(CARGO)" sh tests/cross/systems.sh "$(TARGET)/systems"

.PHONY: sanitize
sanitize: $(if $(SHORT),,all) ## Run the C tests under sanitizers and valgrind, and the models; SHORT=1: less (rustup, clang, valgrind)
	$(PYTHON) tests/sanitize/run.py --library "$(SHIP)/release" --out "$(TARGET)/sanitize" $(if $(SHORT),--short)

.PHONY: features
features: ## Build the library with each part of it left out (clippy, binutils)
	@sh tests/cross/features.sh "$(TARGET)/features"

.PHONY: bench
bench: all $(PICTURES) ## Measure libsk beside the raw calls and seven others into docs/bench (valgrind, Python 3 with venv)
	CC="$(CC)" $(PYTHON) benches/contenders/measure.py $(BESIDE) --out docs/bench
	"$(PICTURES)" benches/contenders/report.py docs/bench

.PHONY: bench-quick
bench-quick: all $(PICTURES) ## The same in less than three minutes, into the target directory
	CC="$(CC)" $(PYTHON) benches/contenders/measure.py $(BESIDE) --out "$(TARGET)/bench-quick" --quick
	"$(PICTURES)" benches/contenders/report.py "$(TARGET)/bench-quick"

# A Python that can draw.
$(PICTURES):
	$(PYTHON) -m venv "$(TARGET)/bench-venv"
	"$(TARGET)/bench-venv/bin/pip" install --quiet matplotlib==3.11.2 || { rm -rf "$(TARGET)/bench-venv"; exit 1; }

.PHONY: bench-calls
bench-calls: all ## Measure what a call costs over the raw one (valgrind, Python 3)
	CC="$(CC)" $(PYTHON) benches/calls.py $(MEASURED)

.PHONY: bench-poller
bench-poller: all ## Compare an echo server on sk_poller with one on epoll (valgrind, Python 3)
	CC="$(CC)" $(PYTHON) benches/poller.py $(MEASURED)

.PHONY: bench-udp
bench-udp: all ## Compare batches of datagrams with sendmmsg and recvmmsg (valgrind, Python 3)
	CC="$(CC)" $(PYTHON) benches/udp.py $(MEASURED)

.PHONY: bench-skperf
bench-skperf: all ## Compare skperf with iperf3 (iperf3, Python 3)
	CC="$(CC)" $(PYTHON) benches/skperf.py $(MEASURED)

.PHONY: bench-python
bench-python: all ## Compare the Python package with the built-in socket module
	SK_LIBRARY="$(SHIP)/release/libsk.so" $(PYTHON) benches/python.py

.PHONY: bench-embedded
bench-embedded: ## Measure what it takes on small systems (rustup, gcc for armhf, Python 3)
	$(PYTHON) benches/embedded.py --out "$(TARGET)/embedded"

.PHONY: size
size: all ## Measure the library, and what it adds to a program (Python 3)
	CC="$(CC)" $(PYTHON) benches/size.py $(MEASURED) $(SIZE_FLAGS)

.PHONY: no-panic
no-panic: ## Show that no panic can be reached in the library
	@sh benches/no_panic.sh "$(TARGET)/no-panic"

.PHONY: abi
abi: all ## Compare the binary interface with the one on record (binutils, Python 3)
	CC="$(CC)" $(PYTHON) packaging/abi.py "$(SHIP)/release/libsk.so" $(ABI_FLAGS)

.PHONY: wheel
wheel: all ## Make the Python package with the library inside (pip)
	rm -rf "$(TARGET)/wheel" && mkdir -p "$(TARGET)/wheel/build"
	cp -R python/pyproject.toml python/setup.py python/README.md python/sk "$(TARGET)/wheel/build"
	cp "$(SHIP)/release/libsk.so" "$(TARGET)/wheel/build/sk/$(SONAME)"
	strip "$(TARGET)/wheel/build/sk/$(SONAME)"
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir "$(TARGET)/wheel" "$(TARGET)/wheel/build"

.PHONY: man
man: ## Make the man pages from the header (Python 3)
	$(PYTHON) docs/man.py include/sk.h "$(TARGET)/man"

# For who installs: root often has no Cargo, and needs none where nothing is to be built.
.PHONY: built
built:
	@if test -f "$(SHIP)/release/libsk.a" && test -f "$(SHIP)/release/libsk.so" && test -s "$(NATIVE)" && \
		test -z "$$(find Makefile Cargo.toml Cargo.lock build.rs build src -newer "$(NATIVE)")"; then :; \
	elif command -v $(firstword $(CARGO)) > /dev/null; then $(MAKE) --no-print-directory all; \
	else echo "The library is not built, or older than its source, and there is no $(CARGO) here: run make first." >&2; exit 1; fi

# sed, the shell, pkg-config and CMake read these in what they are written into.
.PHONY: where
where: export WHERE = $(PREFIX)$(LIBDIR)$(INCLUDEDIR)
where:
	@case "$$WHERE" in *[[:space:]\"\'\`\$$\\\&\;\#]*) \
		echo "PREFIX, LIBDIR and INCLUDEDIR can't have blanks in them, nor any of \" ' \` \$$ \\ & ; #" >&2; exit 1;; esac
	@for folder in "$(PREFIX)/" "$(LIBDIR)" "$(INCLUDEDIR)" "$(MANDIR)"; do case "$$folder" in /*) ;; *) \
		echo "PREFIX, LIBDIR, INCLUDEDIR and MANDIR must be whole paths, from / on: $$folder is none" >&2; exit 1;; esac; done

.PHONY: install
install: where built ## Install all of it (PREFIX, LIBDIR, INCLUDEDIR, MANDIR, DESTDIR)
	$(INSTALL) -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig"
	$(INSTALL) -m 644 include/sk.h include/sk.hpp "$(DESTDIR)$(INCLUDEDIR)"
	$(INSTALL) -m 644 "$(SHIP)/release/libsk.a" "$(DESTDIR)$(LIBDIR)/libsk.a"
	$(INSTALL) -m 755 "$(SHIP)/release/libsk.so" "$(DESTDIR)$(LIBDIR)/libsk.so.$(VERSION)"
	ln -sf "libsk.so.$(VERSION)" "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	ln -sf "$(SONAME)" "$(DESTDIR)$(LIBDIR)/libsk.so"
	$(INSTALL) -d "$(DESTDIR)$(MANDIR)/man3" "$(DESTDIR)$(MANDIR)/man7"
	@# Straight to their place: nothing of root's is left in the tree.
	umask 022 && $(PYTHON) docs/man.py include/sk.h "$(DESTDIR)$(MANDIR)"
	$(INSTALL) -d "$(DESTDIR)$(LIBDIR)/cmake/sk"
	$(FILL) packaging/sk.pc.in > "$(DESTDIR)$(LIBDIR)/pkgconfig/sk.pc"
	$(FILL) packaging/skConfig.cmake.in > "$(DESTDIR)$(LIBDIR)/cmake/sk/skConfig.cmake"
	$(FILL) packaging/skConfigVersion.cmake.in > "$(DESTDIR)$(LIBDIR)/cmake/sk/skConfigVersion.cmake"

.PHONY: uninstall
uninstall: ## Remove what install put in place (with the same variables)
	rm -f "$(DESTDIR)$(INCLUDEDIR)/sk.h" "$(DESTDIR)$(INCLUDEDIR)/sk.hpp" "$(DESTDIR)$(LIBDIR)/libsk.a" \
		"$(DESTDIR)$(LIBDIR)/libsk.so" "$(DESTDIR)$(LIBDIR)/$(SONAME)" \
		"$(DESTDIR)$(LIBDIR)/libsk.so.$(VERSION)" "$(DESTDIR)$(LIBDIR)/pkgconfig/sk.pc"
	rm -rf "$(DESTDIR)$(LIBDIR)/cmake/sk"
	test ! -d "$(DESTDIR)$(MANDIR)" || { cd "$(DESTDIR)$(MANDIR)" && rm -f man7/sk.7 $$(sed 's,.*,man3/&.3,' "$(CURDIR)/tests/functions.txt"); }

.PHONY: docs
docs: ## Make the reference in HTML, with the guide (Doxygen, Python 3)
	rm -rf "$(TARGET)/docs" && mkdir -p "$(TARGET)/docs"
	PYTHON="$(PYTHON)" SK_VERSION="$(VERSION)" SK_DOCS="$(TARGET)/docs" doxygen docs/Doxyfile

.PHONY: dist
dist: ## Make the source tarball of what is committed; it builds offline (git, Python 3)
	CARGO="$(CARGO)" $(PYTHON) packaging/dist.py "$(TARGET)/dist"

.PHONY: deb
deb: dist ## Make the Debian packages of what is committed (dpkg-dev, debhelper)
	rm -rf "$(DEB)" && mkdir -p "$(DEB)"
	cp "$(TARGET)/dist/libsk-$(VERSION).tar.gz" "$(DEB)/libsk_$(VERSION).orig.tar.gz"
	tar -xzf "$(DEB)/libsk_$(VERSION).orig.tar.gz" -C "$(DEB)"
	cp -R "$(DEB)/libsk-$(VERSION)/packaging/debian" "$(DEB)/libsk-$(VERSION)"
	@# Rust need not come from a package (-d). It is named by its own folder: the packages are built
	@# with a HOME of their own, in which rustup would find nothing.
	cd "$(DEB)/libsk-$(VERSION)" && PATH="$$(rustc --print sysroot)/bin:$$PATH" dpkg-buildpackage -d -us -uc

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
