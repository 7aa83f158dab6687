// producer-go-rest stores events that come over HTTP/1.1 as JSON: net/http, encoding/json, pgx.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"

	"weir/contenders/go/internal/event"
	"weir/contenders/go/internal/service"
)

func main() {
	service.Run("producer-go-rest", "SERVER_PORT", 9083, serve)
}

func serve(ctx context.Context, address string, w service.Writer) error {
	server := &http.Server{
		Handler:           routes(w),
		ReadHeaderTimeout: service.Timeout,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       75 * time.Second,
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	slog.Info("ready", "http.address", listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), service.Grace)
	defer cancel()
	return server.Shutdown(grace)
}

func routes(w service.Writer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/events", func(rw http.ResponseWriter, r *http.Request) { one(rw, r, w) })
	mux.HandleFunc("POST /api/v1/events/bulk", func(rw http.ResponseWriter, r *http.Request) { bulk(rw, r, w) })
	mux.HandleFunc("GET /api/v1/events/health", func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), service.Timeout)
		defer cancel()
		if err := w.Ping(ctx); err != nil {
			refuse(rw, http.StatusServiceUnavailable, "unavailable", "the database is unavailable")
			return
		}
		answer(rw, http.StatusOK, success{true, "healthy"})
	})
	return mux
}

type success struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

type failure struct {
	Success bool   `json:"success"`
	Error   string `json:"error"`
	Message string `json:"message"`
}

func one(rw http.ResponseWriter, r *http.Request, w service.Writer) {
	body, ok := read(rw, r, service.MaxEvent)
	if !ok {
		return
	}
	e, err := event.Parse(body)
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), service.Timeout)
		defer cancel()
		err = w.Write(ctx, e)
	}
	if err != nil {
		fail(rw, err)
		return
	}
	answer(rw, http.StatusOK, success{true, service.Stored})
}

type bulkAnswer struct {
	success
	Processed int           `json:"processedCount"`
	Failed    int           `json:"failedCount"`
	BatchID   string        `json:"batchId"`
	Millis    int64         `json:"processingTimeMs"`
	Failures  []bulkFailure `json:"failures,omitempty"`
}

type bulkFailure struct {
	Index int    `json:"index"`
	Error string `json:"error"`
}

// bulk stores the events one after the other: those of one entity keep their order.
func bulk(rw http.ResponseWriter, r *http.Request, w service.Writer) {
	began := time.Now()
	body, ok := read(rw, r, service.MaxBulk)
	if !ok {
		return
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil || len(elements) == 0 {
		refuse(rw, http.StatusBadRequest, "invalid_argument", "the body must be a JSON array of at least one event")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), service.Timeout)
	defer cancel()
	result := bulkAnswer{BatchID: strconv.FormatInt(began.UnixNano(), 36)}
	var unavailable error
	for i, element := range elements {
		e, err := event.Parse(element)
		if err == nil {
			err = w.Write(ctx, e)
		}
		if err == nil {
			result.Processed++
			continue
		}
		kind, words := service.Told(err)
		if kind == service.Unavailable {
			unavailable = err
		}
		result.Failures = append(result.Failures, bulkFailure{i, words})
	}
	if unavailable != nil && result.Processed == 0 {
		fail(rw, unavailable)
		return
	}
	result.Failed, result.Millis = len(result.Failures), time.Since(began).Milliseconds()
	result.success = success{result.Failed == 0, strconv.Itoa(result.Processed) + " events processed"}
	answer(rw, http.StatusOK, result)
}

// read takes a JSON body within the limit; otherwise it has answered.
func read(rw http.ResponseWriter, r *http.Request, limit int64) ([]byte, bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(rw, http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type must be application/json")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(rw, http.StatusRequestEntityTooLarge, "too_large", "the body exceeds "+strconv.FormatInt(limit, 10)+" bytes")
		return nil, false
	case err != nil:
		refuse(rw, http.StatusBadRequest, "invalid_argument", "the body could not be read")
		return nil, false
	}
	return body, true
}

func fail(rw http.ResponseWriter, err error) {
	switch kind, words := service.Told(err); kind {
	case service.Invalid:
		refuse(rw, http.StatusBadRequest, "invalid_argument", words)
	case service.Full, service.Unavailable:
		rw.Header().Set("Retry-After", "1")
		refuse(rw, http.StatusServiceUnavailable, "unavailable", words)
	default:
		refuse(rw, http.StatusInternalServerError, "internal", words)
	}
}

func refuse(rw http.ResponseWriter, status int, name, message string) {
	answer(rw, status, failure{false, name, message})
}

func answer(rw http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"success":false,"error":"internal","message":"internal error"}`)
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	if _, err := rw.Write(text); err != nil {
		slog.Debug("an answer could not be sent", "error", err)
	}
}
