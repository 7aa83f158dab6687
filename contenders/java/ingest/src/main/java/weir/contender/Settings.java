package weir.contender;

import java.net.URI;

/** What the environment says. */
public record Settings(String host, int port, String databaseUrl, int poolSize) {

    public static Settings fromEnvironment(String portVariable, int port) {
        return new Settings(
                value("HOST", "0.0.0.0"),
                number(portVariable, port, 0, 65_535),
                value("DATABASE_URL", "postgresql://postgres:password@localhost:5432/car_entities"),
                number("DATABASE_POOL_SIZE", 10, 1, 1_000));
    }

    URI database() {
        URI url;
        try {
            url = URI.create(databaseUrl);
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException("DATABASE_URL is not a URL");
        }
        if (url.getHost() == null || url.getPath() == null || url.getPath().length() < 2) {
            throw new IllegalArgumentException("DATABASE_URL must be postgresql://user:password@host:port/database");
        }
        return url;
    }

    /** One line when the service can be used; JSON where LOG_FORMAT says so. */
    public static void sayReady(String field, String address) {
        boolean json = value("LOG_FORMAT", "text").equals("json");
        System.err.println(json
                ? "{\"level\":\"INFO\",\"message\":\"ready\",\"" + field + "\":\"" + address + "\"}"
                : "ready " + field + "=" + address);
    }

    private static String value(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    private static int number(String name, int otherwise, int least, int most) {
        String text = value(name, Integer.toString(otherwise));
        try {
            int value = Integer.parseInt(text);
            if (value >= least && value <= most) {
                return value;
            }
        } catch (NumberFormatException noNumber) {
            // said below
        }
        throw new IllegalArgumentException(name + " must be a whole number from " + least + " to " + most + ", not '" + text + "'");
    }
}
