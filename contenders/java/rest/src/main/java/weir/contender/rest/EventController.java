package weir.contender.rest;

import static org.springframework.http.MediaType.APPLICATION_JSON_VALUE;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import tools.jackson.databind.JsonNode;
import weir.contender.Event.Invalid;
import weir.contender.EventReader;
import weir.contender.Store;
import weir.contender.Store.Unavailable;
import weir.contender.rest.Answers.Bulk;
import weir.contender.rest.Answers.BulkFailure;
import weir.contender.rest.Answers.Success;

/** The three routes. What goes wrong becomes an answer in {@link Failures}. */
@RestController
@RequestMapping("/api/v1/events")
class EventController {

    /** Largest event, in bytes. */
    static final int MAX_EVENT = 1 << 20;

    private static final Success STORED = new Success(true, "Event processed successfully");

    private final Store store;

    EventController(Store store) {
        this.store = store;
    }

    @PostMapping(consumes = APPLICATION_JSON_VALUE)
    Mono<Success> one(@RequestBody byte[] body) {
        if (body.length > MAX_EVENT) {
            throw new Failures.TooLarge(MAX_EVENT);
        }
        return store.write(EventReader.read(EventReader.json(body))).thenReturn(STORED);
    }

    /** Stores the events one after the other: those of one entity keep their order. */
    @PostMapping(path = "/bulk", consumes = APPLICATION_JSON_VALUE)
    Mono<Bulk> bulk(@RequestBody byte[] body) {
        Instant began = Instant.now();
        JsonNode events = EventReader.json(body);
        if (!events.isArray() || events.isEmpty()) {
            throw new Invalid("the body must be a JSON array of at least one event");
        }
        return Flux.fromStream(IntStream.range(0, events.size()).boxed())
                .concatMap(index -> outcome(index, events.get(index)))
                .collectList()
                .map(outcomes -> answer(outcomes, began));
    }

    @GetMapping("/health")
    Mono<Success> health() {
        return store.ping().thenReturn(new Success(true, "healthy"));
    }

    private record Outcome(int index, Throwable error) {}

    private Mono<Outcome> outcome(int index, JsonNode event) {
        return Mono.defer(() -> store.write(EventReader.read(event)))
                .thenReturn(new Outcome(index, null))
                .onErrorResume(error -> Mono.just(new Outcome(index, error)));
    }

    private static Bulk answer(List<Outcome> outcomes, Instant began) {
        List<BulkFailure> failures = new ArrayList<>();
        for (Outcome outcome : outcomes) {
            if (outcome.error() != null) {
                failures.add(new BulkFailure(outcome.index(), Failures.of(outcome.error()).getBody().message()));
            }
        }
        int processed = outcomes.size() - failures.size();
        if (processed == 0 && outcomes.stream().anyMatch(outcome -> outcome.error() instanceof Unavailable)) {
            throw (Unavailable) outcomes.stream().map(Outcome::error).filter(Unavailable.class::isInstance).findFirst().orElseThrow();
        }
        return new Bulk(
                new Success(failures.isEmpty(), processed + " events processed"),
                processed,
                failures.size(),
                Long.toString(began.toEpochMilli(), 36),
                Duration.between(began, Instant.now()).toMillis(),
                failures);
    }
}
