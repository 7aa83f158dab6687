package weir.contender;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import io.r2dbc.spi.ConnectionFactories;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import weir.contender.Event.Entity;
import weir.contender.Event.Invalid;

/** The store on a real PostgreSQL: that of TEST_DATABASE_URL, which scripts/test.sh starts. */
class StoreTest {

    /** The database's URL. Without one the test is left out; in CI it fails. */
    private static String url() {
        String url = System.getenv("TEST_DATABASE_URL");
        if (url != null && !url.isEmpty()) {
            return url;
        }
        String ci = System.getenv().getOrDefault("CI", "");
        if (!Set.of("", "0", "false").contains(ci)) {
            fail("TEST_DATABASE_URL is not set, and CI leaves no test out");
        }
        return Assumptions.abort("TEST_DATABASE_URL is not set");
    }

    private static Store open() {
        return Store.open(new Settings("127.0.0.1", 0, url(), 10));
    }

    /** An entity type that no other test has. */
    private static String ownType(String name) {
        return name + "-" + System.nanoTime();
    }

    private static Event event(Entity... entities) {
        return new Event(List.of(entities));
    }

    /** The number of an entity's attributes; 0 where there is none. */
    private static long attributes(String type, String id) {
        var database = ConnectionFactories.get(url().replaceFirst("^postgres(ql)?://", "r2dbc:postgresql://"));
        String sql = "SELECT count(*) FROM car_entities, jsonb_object_keys(data) WHERE entity_type = $1 AND id = $2";
        return Mono.usingWhen(
                        database.create(),
                        connection -> Flux.from(connection.createStatement(sql).bind("$1", type).bind("$2", id).execute())
                                .flatMap(result -> result.map(row -> row.get(0, Long.class)))
                                .single(),
                        connection -> connection.close())
                .block();
    }

    @Test
    void concurrentMergesIntoOneEntityLoseNothing() {
        String type = ownType("merge");
        try (Store store = open()) {
            Flux.range(0, 64)
                    .flatMap(n -> store.write(event(new Entity(type, "one", "{\"k" + n + "\":" + n + "}"))), 64)
                    .then()
                    .block();
        }
        assertEquals(64, attributes(type, "one"));
    }

    @Test
    void anEventOfSeveralEntitiesIsStoredWholeOrNotAtAll() {
        String type = ownType("whole");
        try (Store store = open()) {
            // PostgreSQL's text has no NUL.
            Event half = event(new Entity(type, "a", "{\"n\":1}"), new Entity(type, "b", "{\"n\":\"\\u0000\"}"));
            assertThrows(Invalid.class, () -> store.write(half).block());
            assertEquals(0, attributes(type, "a"));
            store.write(event(new Entity(type, "a", "{\"n\":1}"), new Entity(type, "b", "{\"n\":1}"))).block();
            assertEquals(1, attributes(type, "a"));
        }
    }
}
