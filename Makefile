# What a person types. `make` alone lists it.
# Everything is safe to repeat; nothing but `setup` (and so `demo`, `test`) touches the system.

SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=
BIN := target/bin

.PHONY: help setup build demo test test-long lint install clean

help:
	@echo "make demo       install what is missing, build, and show redpak at work on a small repository of its own"
	@echo "make test       install what is missing, and run the test suite"
	@echo "make test-long  the suite with its long parts"
	@echo "make build      release binaries in $(BIN)/"
	@echo "make lint       formatting and clippy"
	@echo "make install    install what was built, the templates, the schema and the documentation, below DESTDIR and PREFIX ($(PREFIX))"
	@echo "make clean      remove what was built"

setup:
	@tools/setup build

# redwrap is static: it starts faster, and needs nothing of the host. The others link librpm and libsolv.
build:
	@mkdir -p $(BIN)
	@[ -t 1 ] || quiet=--quiet; \
	 echo "building redconf and redwrap-dnf (a few minutes the first time)" && \
	 cargo build $$quiet --release --locked -p redconf -p redwrap-dnf && \
	 echo "building redwrap, static" && \
	 host=$$(rustc -vV | sed -n 's/^host: //p') && \
	 RUSTFLAGS="-C target-feature=+crt-static" cargo build $$quiet --profile static --locked -p redwrap --target $$host && \
	 install -m 755 target/$$host/static/redwrap target/release/redconf target/release/redwrap-dnf $(BIN)/
	@ls -l $(BIN) | awk 'NR > 1 { print "built $(BIN)/" $$9 " (" $$5 " bytes)" }'

demo: setup
	@$(MAKE) --no-print-directory build
	@demo/run

test:
	@tools/setup test
	@tools/run-tests

test-long:
	@tools/setup test
	@REDPAK_LONG=1 tools/run-tests

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Safe to repeat: a template that was edited where it is installed stays, and the new one is put beside it as `.new`.
# The templates name the schema for editors, so it must be said where it is: below PREFIX.
share = $(PREFIX)/share
install:
	@for program in redwrap redconf redwrap-dnf; do \
	  [ -x $(BIN)/$$program ] || { echo "install: $(BIN)/$$program is not there: run \`make build\` first" >&2; exit 1; }; done
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(share)/redpak/templates $(DESTDIR)$(share)/doc/redpak/codes $(DESTDIR)/etc/redpak/templates.d
	install -m 755 $(BIN)/redwrap $(BIN)/redconf $(BIN)/redwrap-dnf $(DESTDIR)$(PREFIX)/bin/
	install -m 644 docs/redpak.schema.json docs/rednode.schema.json $(DESTDIR)$(share)/redpak/
	install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE docs/*.md docs/*.schema.json $(DESTDIR)$(share)/doc/redpak/
	install -m 644 docs/codes/*.md $(DESTDIR)$(share)/doc/redpak/codes/
	@for template in templates/*.yaml; do \
	  tools/install-template $$template $(DESTDIR)/etc/redpak/templates.d $(DESTDIR)$(share)/redpak/templates $(share) || exit 1; done

clean:
	cargo clean
