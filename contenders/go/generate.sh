#!/usr/bin/env bash
# Writes internal/pb from proto/event_service.proto. Needs protoc (Debian's protobuf-compiler).
# Usage: contenders/go/generate.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOBIN=$tools go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$tools go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0
PATH=$tools:$PATH protoc --proto_path=../../proto \
    --go_out=. --go_opt=module=weir/contenders/go,Mevent_service.proto=weir/contenders/go/internal/pb \
    --go-grpc_out=. --go-grpc_opt=module=weir/contenders/go,Mevent_service.proto=weir/contenders/go/internal/pb \
    event_service.proto
