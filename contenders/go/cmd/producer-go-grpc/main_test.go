package main

import (
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"weir/contenders/go/internal/pb"
	"weir/contenders/go/internal/testdb"
)

func client(t *testing.T) pb.EventServiceClient {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(testdb.Open(t))
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return pb.NewEventServiceClient(connection)
}

func request(kind, id string, texts map[string]string) *pb.EventRequest {
	return &pb.EventRequest{
		EventHeader: &pb.EventHeader{EventName: "CarCreated"},
		EventBody: &pb.EventBody{Entities: []*pb.EntityUpdate{
			{EntityType: kind, EntityId: id, UpdatedAttributes: texts},
		}},
	}
}

func TestEventsAreStoredAndWhatIsWrongIsNamed(t *testing.T) {
	events, kind := client(t), testdb.Type(t)
	answer, err := events.ProcessEvent(t.Context(), request(kind, "a", map[string]string{"colour": "red"}))
	if err != nil || !answer.Success {
		t.Fatalf("%v %v", answer, err)
	}
	if found := testdb.Attributes(t, kind, "a"); found["colour"] != "red" {
		t.Fatalf("stored: %v", found)
	}
	_, err = events.ProcessEvent(t.Context(), request(kind, "", nil))
	if told := status.Convert(err); told.Code() != codes.InvalidArgument || !strings.Contains(told.Message(), "entityId") {
		t.Fatalf("%v", err)
	}
	health, err := events.HealthCheck(t.Context(), &pb.HealthRequest{})
	if err != nil || !health.Healthy {
		t.Fatalf("%v %v", health, err)
	}
}

func TestAStreamAnswersEachOfItsEvents(t *testing.T) {
	events, kind := client(t), testdb.Type(t)
	stream, err := events.ProcessEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "", "c"} {
		if err := stream.Send(request(kind, id, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var stored []bool
	for {
		outcome, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if int(outcome.Index) != len(stored) {
			t.Fatalf("outcome %d comes as number %d", outcome.Index, len(stored))
		}
		stored = append(stored, outcome.Success)
	}
	if len(stored) != 3 || !stored[0] || stored[1] || !stored[2] {
		t.Fatalf("%v", stored)
	}
}
