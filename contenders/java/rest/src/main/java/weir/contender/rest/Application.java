package weir.contender.rest;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.server.reactive.context.ReactiveWebServerInitializedEvent;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import weir.contender.Settings;
import weir.contender.Stop;
import weir.contender.Store;

/** Stores events that come over HTTP/1.1 as JSON: Spring Boot, WebFlux on Reactor Netty, R2DBC. */
@SpringBootApplication
public class Application {

    public static void main(String[] args) {
        Stop.endInOrder();
        SpringApplication.run(Application.class, args);
    }

    @Bean(destroyMethod = "close")
    Store store() {
        return Store.open(Settings.fromEnvironment("SERVER_PORT", 8081));
    }

    @EventListener
    void ready(ReactiveWebServerInitializedEvent event) {
        Settings settings = Settings.fromEnvironment("SERVER_PORT", 8081);
        Settings.sayReady("http.address", settings.host() + ":" + event.getWebServer().getPort());
    }
}
