package weir.contender;

import java.util.List;

/** One atomic unit of work: its entities are stored together or not at all. The header is checked and not stored. */
public record Event(List<Entity> entities) {

    /** One row: its key, and a JSON object whose top-level keys replace those stored. */
    public record Entity(String type, String id, String attributes) implements Comparable<Entity> {
        /** By key: two transactions that lock rows in one order cannot deadlock. */
        @Override
        public int compareTo(Entity other) {
            int byType = type.compareTo(other.type);
            return byType != 0 ? byType : id.compareTo(other.id);
        }
    }

    /** What the sender did wrong, with the path of the field in JSON names. */
    public static final class Invalid extends RuntimeException {
        public Invalid(String message) {
            // The sender's fault needs no stack trace, which would cost more than the check.
            super(message, null, false, false);
        }
    }
}
