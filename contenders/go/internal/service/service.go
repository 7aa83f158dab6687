// Package service holds what both commands share: settings, the way to the database, the life of the process.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"weir/contenders/go/internal/event"
	"weir/contenders/go/internal/store"
)

// Stored is the message of an event that was stored.
const Stored = "Event processed successfully"

// Limits of what a sender may send, in bytes.
const (
	MaxEvent = 1 << 20
	MaxBulk  = 10 << 20
)

// Timeout bounds the work for one request; Grace what may still be finished after a stop.
const (
	Timeout = 10 * time.Second
	Grace   = 10 * time.Second
)

// Writer stores events: one statement an event, or many events in one.
type Writer interface {
	Write(context.Context, *event.Event) error
	Ping(context.Context) error
}

// Run reads the settings, opens the database and serves until SIGTERM or SIGINT. It exits 1 where something went wrong.
func Run(name string, portVariable string, port uint16, serve func(ctx context.Context, address string, w Writer) error) {
	if len(os.Args) == 2 && os.Args[1] == "health" {
		os.Exit(health(portVariable, port))
	}
	slog.SetDefault(slog.New(logHandler()))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, name, portVariable, port, serve); err != nil && !errors.Is(err, context.Canceled) {
		slog.Error("ended", "service", name, "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name, portVariable string, port uint16, serve func(context.Context, string, Writer) error) error {
	port, err := number(portVariable, port)
	if err != nil {
		return err
	}
	connections, err := number("DATABASE_POOL_SIZE", 10)
	if err != nil || connections == 0 {
		return errors.Join(errors.New("DATABASE_POOL_SIZE must be 1 to 65535"), err)
	}
	url := setting("DATABASE_URL", "postgresql://postgres:password@localhost:5432/car_entities")
	s, err := store.Open(ctx, url, int32(connections))
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer s.Close()
	var writer Writer = s
	mode := setting("WRITE_MODE", "single")
	writing, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	switch mode {
	case "single":
	case "batch":
		writer = store.NewBatches(writing, s)
	default:
		return fmt.Errorf("WRITE_MODE must be single or batch, not %q", mode)
	}
	address := setting("HOST", "0.0.0.0") + ":" + strconv.Itoa(int(port))
	slog.Info("starting", "service", name, "address", address, "pool", connections, "write_mode", mode)
	return serve(ctx, address, writer)
}

// health is the subcommand of that name: 0 where the service accepts a connection. (Whether the database answers, the lab
// asks over the service's own face.)
func health(portVariable string, port uint16) int {
	port, err := number(portVariable, port)
	if err == nil {
		var connection net.Conn
		connection, err = net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))), 2*time.Second)
		if err == nil {
			err = connection.Close()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Kind is what a failure means to the sender.
type Kind int

// The kinds of failure.
const (
	Internal Kind = iota
	Invalid
	Full
	Unavailable
)

// Told sorts a failure, and gives the words that the sender may see.
func Told(err error) (Kind, string) {
	var invalid event.Invalid
	switch {
	case errors.As(err, &invalid):
		return Invalid, invalid.Error()
	case errors.Is(err, store.ErrFull):
		return Full, store.ErrFull.Error()
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		slog.Warn("the database is unavailable", "error", err)
		return Unavailable, store.ErrUnavailable.Error()
	}
	slog.Error("an event failed", "error", err)
	return Internal, "internal error"
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func number(name string, otherwise uint16) (uint16, error) {
	value, err := strconv.ParseUint(setting(name, strconv.Itoa(int(otherwise))), 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s must be a number from 0 to 65535: %w", name, err)
	}
	return uint16(value), nil
}

func logHandler() slog.Handler {
	options := &slog.HandlerOptions{Level: level()}
	if setting("LOG_FORMAT", "text") == "json" {
		return slog.NewJSONHandler(os.Stderr, options)
	}
	return slog.NewTextHandler(os.Stderr, options)
}

func level() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(setting("LOG_LEVEL", "info"))); err != nil {
		return slog.LevelInfo
	}
	return l
}
