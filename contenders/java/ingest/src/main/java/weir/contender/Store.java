package weir.contender;

import io.r2dbc.pool.ConnectionPool;
import io.r2dbc.pool.ConnectionPoolConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionFactory;
import io.r2dbc.spi.Connection;
import io.r2dbc.spi.R2dbcException;
import io.r2dbc.spi.R2dbcNonTransientResourceException;
import io.r2dbc.spi.R2dbcTransientResourceException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;
import reactor.util.retry.Retry;
import weir.contender.Event.Entity;
import weir.contender.Event.Invalid;

/**
 * Writes events to PostgreSQL. Updates merge in the database, under the row's lock: nothing is read first, so that concurrent
 * events for one entity cannot lose each other's changes.
 */
public final class Store implements AutoCloseable {

    /** The time for one event, waiting for a connection included. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private static final String UPSERT = """
            /* contender java: Store.upsert */
            INSERT INTO car_entities (entity_type, id, data) VALUES ($1, $2, $3::jsonb)
            ON CONFLICT (entity_type, id) DO UPDATE
            SET data = car_entities.data || excluded.data, updated_at = now()""";

    private final ConnectionPool pool;

    private Store(ConnectionPool pool) {
        this.pool = pool;
    }

    /** The database did not say what became of the event. */
    public static final class Unavailable extends RuntimeException {
        Unavailable(Throwable cause) {
            super("the database is unavailable", cause, false, false);
        }
    }

    /** Connects, waiting up to 30 s for the database, and applies the schema. A table that is there is kept. */
    public static Store open(Settings settings) {
        URI url = settings.database();
        String[] login = url.getUserInfo() == null ? new String[] {"postgres"} : url.getUserInfo().split(":", 2);
        var database = PostgresqlConnectionConfiguration.builder()
                .host(url.getHost())
                .port(url.getPort() < 0 ? 5432 : url.getPort())
                .database(url.getPath().substring(1))
                .username(login[0])
                .password(login.length > 1 ? login[1] : null)
                .applicationName("contender java")
                .tcpNoDelay(true)
                // On every loop, not on that of whoever asked first: all connections would share its one thread.
                .loopResources(LoopResources.create("r2dbc", 1, LoopResources.DEFAULT_IO_WORKER_COUNT, true, false))
                .build();
        var pool = ConnectionPoolConfiguration.builder(new PostgresqlConnectionFactory(database))
                .initialSize(0)
                .maxSize(settings.poolSize())
                .maxIdleTime(Duration.ofMinutes(30))
                .maxAcquireTime(LIMIT)
                .build();
        Store store = new Store(new ConnectionPool(pool));
        store.applySchema()
                .retryWhen(Retry.fixedDelay(60, Duration.ofMillis(500)).filter(Store::isAway))
                .block();
        return store;
    }

    /** Stores one event: a statement, which is a transaction of its own; of several entities one transaction. */
    public Mono<Void> write(Event event) {
        List<Entity> entities = event.entities();
        Mono<Void> written = entities.size() == 1
                ? with(connection -> upsert(connection, entities.get(0)))
                // Sorted by key and stable: updates of one entity keep their order.
                : inTransaction(connection -> Flux.fromIterable(entities.stream().sorted().toList())
                        .concatMap(entity -> upsert(connection, entity))
                        .then());
        return written.timeout(LIMIT).onErrorMap(Store::told);
    }

    /** Completes where the database answers. */
    public Mono<Void> ping() {
        return with(connection -> Flux.from(connection.createStatement("SELECT 1").execute())
                        .flatMap(result -> result.getRowsUpdated())
                        .then())
                .timeout(LIMIT)
                .onErrorMap(Unavailable::new);
    }

    @Override
    public void close() {
        pool.disposeLater().block(LIMIT);
    }

    private static Mono<Void> upsert(Connection connection, Entity entity) {
        var statement = connection.createStatement(UPSERT)
                .bind("$1", entity.type())
                .bind("$2", entity.id())
                .bind("$3", entity.attributes());
        return Flux.from(statement.execute()).flatMap(result -> result.getRowsUpdated()).then();
    }

    private Mono<Void> with(java.util.function.Function<Connection, Mono<Void>> work) {
        return Mono.usingWhen(pool.create(), work, Connection::close);
    }

    private Mono<Void> inTransaction(java.util.function.Function<Connection, Mono<Void>> work) {
        return with(connection -> Mono.usingWhen(
                Mono.from(connection.beginTransaction()).thenReturn(connection),
                work,
                Connection::commitTransaction,
                (begun, error) -> begun.rollbackTransaction(),
                Connection::rollbackTransaction));
    }

    private Mono<Void> applySchema() {
        String schema = resource("/schema.sql");
        return inTransaction(connection -> Flux.just("SELECT pg_advisory_xact_lock(7264317)", schema)
                .concatMap(sql -> Flux.from(connection.createStatement(sql).execute())
                        .concatMap(result -> result.getRowsUpdated()))
                .then());
    }

    private static String resource(String name) {
        try (InputStream stream = Store.class.getResourceAsStream(name)) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException error) {
            throw new IllegalStateException(name, error);
        }
    }

    /** What the driver says as what the caller can act on. Class 22 of PostgreSQL's codes is the event's own fault. */
    private static Throwable told(Throwable error) {
        if (error instanceof R2dbcException refused && refused.getSqlState() != null
                && refused.getSqlState().startsWith("22")) {
            return new Invalid("updatedAttributes cannot be stored: " + refused.getMessage());
        }
        return isAway(error) ? new Unavailable(error) : error;
    }

    private static boolean isAway(Throwable error) {
        return error instanceof R2dbcTransientResourceException
                || error instanceof R2dbcNonTransientResourceException
                || error instanceof TimeoutException
                || error instanceof IOException
                || error instanceof IllegalStateException;
    }
}
