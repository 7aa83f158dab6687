package weir.contender.grpc;

import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import weir.contender.Settings;
import weir.contender.Stop;
import weir.contender.Store;

/** Stores events that come over gRPC: grpc-java on Netty, R2DBC. */
public final class Application {

    private Application() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Stop.endInOrder();
        Settings settings = Settings.fromEnvironment("GRPC_SERVER_PORT", 9090);
        Store store = Store.open(settings);
        Server server = serve(new InetSocketAddress(settings.host(), settings.port()), store);
        // Calls under way are finished; what is not done at the end of the grace is cut off.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, store), "stop-server"));
        Settings.sayReady("grpc.address", settings.host() + ":" + server.getPort());
        server.awaitTermination();
    }

    static Server serve(InetSocketAddress address, Store store) throws IOException {
        HealthStatusManager health = new HealthStatusManager();
        health.setStatus("com.example.grpc.EventService", ServingStatus.SERVING);
        return NettyServerBuilder.forAddress(address)
                // Nothing in a handler waits: the thread that read the call goes on with it.
                .directExecutor()
                .maxInboundMessageSize(EventService.MAX_EVENT + (64 << 10))
                .addService(new EventService(store))
                .addService(health.getHealthService())
                .addService(ProtoReflectionServiceV1.newInstance())
                .build()
                .start();
    }

    private static void stop(Server server, Store store) {
        server.shutdown();
        try {
            if (!server.awaitTermination(10, TimeUnit.SECONDS)) {
                server.shutdownNow();
            }
        } catch (InterruptedException interrupted) {
            server.shutdownNow();
        }
        store.close();
    }
}
