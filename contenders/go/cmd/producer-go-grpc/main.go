// producer-go-grpc stores events that come over gRPC: grpc-go, pgx.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"weir/contenders/go/internal/event"
	"weir/contenders/go/internal/pb"
	"weir/contenders/go/internal/service"
)

func main() {
	service.Run("producer-go-grpc", "GRPC_SERVER_PORT", 9092, serve)
}

func serve(ctx context.Context, address string, w service.Writer) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := newServer(w)
	slog.Info("ready", "grpc.address", listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// Calls under way are finished; what is not done at the end of the grace is cut off.
	cut := time.AfterFunc(service.Grace, server.Stop)
	defer cut.Stop()
	server.GracefulStop()
	return nil
}

func newServer(w service.Writer) *grpc.Server {
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(service.MaxEvent+64<<10),
		// A goroutine that waits for the next call instead of one a call, whose stack would have to grow again each time.
		grpc.NumStreamWorkers(uint32(runtime.GOMAXPROCS(0))),
		grpc.SharedWriteBuffer(true),
	)
	pb.RegisterEventServiceServer(server, &events{writer: w})
	up := health.NewServer()
	up.SetServingStatus(pb.EventService_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, up)
	reflection.Register(server)
	return server
}

type events struct {
	pb.UnimplementedEventServiceServer
	writer service.Writer
}

func (s *events) ProcessEvent(ctx context.Context, r *pb.EventRequest) (*pb.EventResponse, error) {
	if err := s.store(ctx, r); err != nil {
		code, words := coded(err)
		if code == codes.ResourceExhausted || code == codes.Unavailable {
			if err := grpc.SetTrailer(ctx, metadata.Pairs("retry-after", "1")); err != nil {
				slog.Debug("no trailer", "error", err)
			}
		}
		return nil, status.Error(code, words)
	}
	return &pb.EventResponse{Success: true, Message: service.Stored}, nil
}

// ProcessEvents stores one event after the other, and answers each.
func (s *events) ProcessEvents(stream grpc.BidiStreamingServer[pb.EventRequest, pb.EventOutcome]) error {
	for index := uint64(0); ; index++ {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		outcome := &pb.EventOutcome{Index: index, Success: true, Message: service.Stored}
		if err := s.store(stream.Context(), r); err != nil {
			_, words := coded(err)
			outcome.Success, outcome.Message = false, words
		}
		if err := stream.Send(outcome); err != nil {
			return err
		}
	}
}

func (s *events) HealthCheck(ctx context.Context, _ *pb.HealthRequest) (*pb.HealthResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, service.Timeout)
	defer cancel()
	if err := s.writer.Ping(ctx); err != nil {
		return &pb.HealthResponse{Message: "the database is unavailable"}, nil
	}
	return &pb.HealthResponse{Healthy: true, Message: "healthy"}, nil
}

func (s *events) store(ctx context.Context, r *pb.EventRequest) error {
	e, err := convert(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, service.Timeout)
	defer cancel()
	return s.writer.Write(ctx, e)
}

// convert brings a message into the form that REST has, so that one check serves both faces.
func convert(r *pb.EventRequest) (*event.Event, error) {
	e := &event.Event{}
	if h := r.GetEventHeader(); h != nil {
		e.Header = &event.Header{Name: h.EventName, Created: quoted(h.CreatedDate), Saved: quoted(h.SavedDate)}
	}
	if b := r.GetEventBody(); b != nil {
		e.Body = &event.Body{}
		for _, u := range b.Entities {
			attributes, err := merged(u)
			if err != nil {
				return nil, err
			}
			e.Body.Entities = append(e.Body.Entities, event.Entity{Type: u.GetEntityType(), ID: u.GetEntityId(), Attributes: attributes})
		}
	}
	return e, e.Check()
}

func quoted(text string) json.RawMessage {
	value, err := json.Marshal(text)
	if err != nil {
		return nil
	}
	return value
}

// merged gives the attributes as one JSON object: texts of field 3 first, then the typed ones of field 4.
func merged(u *pb.EntityUpdate) (json.RawMessage, error) {
	texts := u.GetUpdatedAttributes()
	typed := json.RawMessage(u.GetAttributesJson())
	if len(texts) == 0 {
		if len(typed) > 0 && !json.Valid(typed) {
			return nil, event.Invalid("attributesJson must be a JSON object")
		}
		return typed, nil
	}
	all := make(map[string]json.RawMessage, len(texts))
	for key, text := range texts {
		all[key] = quoted(text)
	}
	if len(typed) > 0 {
		if err := json.Unmarshal(typed, &all); err != nil {
			return nil, event.Invalid("attributesJson must be a JSON object")
		}
	}
	return json.Marshal(all)
}

func coded(err error) (codes.Code, string) {
	kind, words := service.Told(err)
	switch kind {
	case service.Invalid:
		return codes.InvalidArgument, words
	case service.Full:
		return codes.ResourceExhausted, words
	case service.Unavailable:
		return codes.Unavailable, words
	}
	return codes.Internal, words
}
