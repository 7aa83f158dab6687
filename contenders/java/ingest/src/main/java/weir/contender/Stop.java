package weir.contender;

import sun.misc.Signal;

/** The end of the process. */
public final class Stop {

    private Stop() {}

    /** SIGTERM and SIGINT run the shutdown hooks and end with status 0: without this the JVM ends with 143. */
    public static void endInOrder() {
        for (String name : new String[] {"TERM", "INT"}) {
            Signal.handle(new Signal(name), signal -> new Thread(() -> System.exit(0), "stop").start());
        }
    }
}
