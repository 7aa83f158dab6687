# The words of earlier systems (docs/guides/seeds.md). Each is one command of today; `make` lists them.
DATABASE_URL ?= postgresql://postgres:password@localhost:5432/car_entities
export DATABASE_URL

.DEFAULT_GOAL := help
.PHONY: help db-up db-down seed proto benchmark rest-server grpc-server servers clean

help:  ## this list
	@sed -n 's/^\([a-z -]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

db-up:  ## both databases: in Docker where an engine answers, else natively
	@if docker version >/dev/null 2>&1; then docker compose up -d --wait postgres-large postgres-metrics; \
	else cargo run --quiet --release --bin weir -- db up; fi

db-down:  ## stops both databases
	@if docker version >/dev/null 2>&1; then docker compose stop postgres-large postgres-metrics; fi
	@cargo run --quiet --release --bin weir -- db down

seed:  ## accounts and transactions for balance and stream
	cargo run --quiet --release --bin weir -- seed

proto:  ## generates code from proto/
	cargo build --package api

benchmark:  ## builds the load generator, ./benchmark
	cargo build --release --bin benchmark
	ln -sf target/release/benchmark benchmark

rest-server grpc-server servers:  ## balances and transactions, REST on :8080 and gRPC on :50051 (one process serves both)
	cargo build --release --bin balance --bin stream
	scripts/one-pair.sh

clean:  ## removes what was built here; results stay
	cargo clean
	rm -f benchmark
