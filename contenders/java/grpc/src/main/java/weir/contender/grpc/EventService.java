package weir.contender.grpc;

import com.example.grpc.EventServiceOuterClass.EventOutcome;
import com.example.grpc.EventServiceOuterClass.EventRequest;
import com.example.grpc.EventServiceOuterClass.EventResponse;
import com.example.grpc.EventServiceGrpc;
import com.example.grpc.EventServiceOuterClass.HealthRequest;
import com.example.grpc.EventServiceOuterClass.HealthResponse;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import reactor.core.publisher.Mono;
import weir.contender.Event.Invalid;
import weir.contender.Store;
import weir.contender.Store.Unavailable;

/** The methods of the contract. */
final class EventService extends EventServiceGrpc.EventServiceImplBase {

    /** Largest event, in bytes. */
    static final int MAX_EVENT = 1 << 20;

    private static final String STORED = "Event processed successfully";
    private static final Metadata.Key<String> RETRY_AFTER =
            Metadata.Key.of("retry-after", Metadata.ASCII_STRING_MARSHALLER);

    private final Store store;

    EventService(Store store) {
        this.store = store;
    }

    @Override
    public void processEvent(EventRequest request, StreamObserver<EventResponse> answer) {
        store(request).subscribe(
                nothing -> {},
                error -> answer.onError(status(error)),
                () -> {
                    answer.onNext(EventResponse.newBuilder().setSuccess(true).setMessage(STORED).build());
                    answer.onCompleted();
                });
    }

    /** Stores one event after the other, and answers each: the next is asked for when this one is answered. */
    @Override
    public StreamObserver<EventRequest> processEvents(StreamObserver<EventOutcome> answers) {
        var call = (ServerCallStreamObserver<EventOutcome>) answers;
        call.disableAutoRequest();
        call.request(1);
        return new StreamObserver<>() {
            private long index;
            private boolean busy;
            private boolean ended;

            @Override
            public void onNext(EventRequest request) {
                synchronized (this) {
                    busy = true;
                }
                store(request).subscribe(
                        nothing -> {},
                        error -> answered(false, status(error).getStatus().getDescription()),
                        () -> answered(true, STORED));
            }

            private synchronized void answered(boolean success, String message) {
                answers.onNext(EventOutcome.newBuilder()
                        .setIndex(index++)
                        .setSuccess(success)
                        .setMessage(message)
                        .build());
                busy = false;
                if (ended) {
                    answers.onCompleted();
                } else {
                    call.request(1);
                }
            }

            @Override
            public void onError(Throwable error) {
                // The client is gone; nobody waits for an answer.
            }

            @Override
            public synchronized void onCompleted() {
                ended = true;
                if (!busy) {
                    answers.onCompleted();
                }
            }
        };
    }

    @Override
    public void healthCheck(HealthRequest request, StreamObserver<HealthResponse> answer) {
        store.ping()
                .thenReturn(HealthResponse.newBuilder().setHealthy(true).setMessage("healthy").build())
                .onErrorReturn(HealthResponse.newBuilder().setMessage("the database is unavailable").build())
                .subscribe(health -> {
                    answer.onNext(health);
                    answer.onCompleted();
                });
    }

    private Mono<Void> store(EventRequest request) {
        return Mono.defer(() -> {
            if (request.getSerializedSize() > MAX_EVENT) {
                throw Status.RESOURCE_EXHAUSTED
                        .withDescription("the event exceeds " + MAX_EVENT + " bytes")
                        .asRuntimeException();
            }
            return store.write(Messages.event(request));
        });
    }

    private static StatusRuntimeException status(Throwable error) {
        if (error instanceof StatusRuntimeException status) {
            return status;
        }
        if (error instanceof Invalid) {
            return Status.INVALID_ARGUMENT.withDescription(error.getMessage()).asRuntimeException();
        }
        if (error instanceof Unavailable) {
            Metadata trailers = new Metadata();
            trailers.put(RETRY_AFTER, "1");
            return Status.UNAVAILABLE.withDescription(error.getMessage()).asRuntimeException(trailers);
        }
        System.err.println("an event failed: " + error);
        return Status.INTERNAL.withDescription("internal error").asRuntimeException();
    }
}
