package weir.contender;

import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.cfg.JsonNodeFeature;
import tools.jackson.databind.json.JsonMapper;
import weir.contender.Event.Entity;
import weir.contender.Event.Invalid;

/** Reads events and says what is wrong with one: the first fault in document order. */
public final class EventReader {

    /** Numbers keep their exact value. */
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    /** The width of the key's columns, in characters. */
    private static final int MAX_KEY = 255;
    /** The end of the year 9999. */
    private static final long LAST_MILLISECOND = 253_402_300_799_999L;

    private EventReader() {}

    /** A whole JSON text. */
    public static JsonNode json(byte[] text) {
        try {
            return JSON.readTree(text);
        } catch (JacksonException error) {
            throw new Invalid("the body is not valid JSON: " + error.getOriginalMessage());
        }
    }

    public static Event read(JsonNode event) {
        if (!event.isObject()) {
            throw new Invalid("an event must be a JSON object");
        }
        JsonNode header = part(event, "eventHeader", "eventHeader");
        checkHeader(text(header, "eventName"), header.get("createdDate"), header.get("savedDate"));
        JsonNode entities = part(event, "eventBody", "eventBody").get("entities");
        if (entities == null || !entities.isArray() || entities.isEmpty()) {
            throw new Invalid("eventBody.entities must not be empty");
        }
        List<Entity> rows = new ArrayList<>(entities.size());
        for (int i = 0; i < entities.size(); i++) {
            JsonNode entity = entities.get(i);
            if (!entity.isObject()) {
                throw new Invalid(path(i, null) + " must be a JSON object");
            }
            rows.add(entity(i, text(entity, "entityType"), text(entity, "entityId"), entity.get("updatedAttributes")));
        }
        return new Event(rows);
    }

    /** Checks a header; dates are null where there is none. */
    public static void checkHeader(String name, JsonNode created, JsonNode saved) {
        if (name == null || name.isEmpty()) {
            throw new Invalid("eventHeader.eventName must not be empty");
        }
        checkDate(created, "createdDate");
        checkDate(saved, "savedDate");
    }

    /** Checks one entity; {@code attributes} is null where there are none. */
    public static Entity entity(int index, String type, String id, JsonNode attributes) {
        checkKey(type, index, "entityType");
        checkKey(id, index, "entityId");
        if (attributes == null) {
            return new Entity(type, id, "{}");
        }
        if (!attributes.isObject()) {
            throw new Invalid(path(index, "updatedAttributes") + " must be a JSON object");
        }
        return new Entity(type, id, attributes.toString());
    }

    private static JsonNode part(JsonNode parent, String name, String path) {
        JsonNode part = parent.get(name);
        if (part == null || !part.isObject()) {
            throw new Invalid(path + " is required");
        }
        return part;
    }

    private static String text(JsonNode parent, String name) {
        JsonNode value = parent.get(name);
        return value != null && value.isString() ? value.stringValue() : null;
    }

    private static void checkKey(String key, int index, String name) {
        if (key == null || key.isEmpty()) {
            throw new Invalid(path(index, name) + " must not be empty");
        }
        if (key.codePointCount(0, key.length()) > MAX_KEY) {
            throw new Invalid(path(index, name) + " must be at most " + MAX_KEY + " characters");
        }
    }

    private static String path(int index, String name) {
        return "eventBody.entities[" + index + "]" + (name == null ? "" : "." + name);
    }

    private static void checkDate(JsonNode date, String name) {
        if (!isDate(date)) {
            throw new Invalid("eventHeader." + name + " must be an RFC 3339 date or milliseconds since 1970");
        }
    }

    /** RFC 3339, whole milliseconds since 1970 as a number or as text, null and "". */
    private static boolean isDate(JsonNode date) {
        if (date == null || date.isNull()) {
            return true;
        }
        if (date.isIntegralNumber()) {
            return date.canConvertToLong() && isMilliseconds(date.longValue());
        }
        if (!date.isString()) {
            return false;
        }
        String text = date.stringValue();
        if (text.isEmpty()) {
            return true;
        }
        try {
            OffsetDateTime.parse(text, DateTimeFormatter.ISO_OFFSET_DATE_TIME);
            return true;
        } catch (DateTimeParseException noDate) {
            return text.matches("[0-9]{1,15}") && isMilliseconds(Long.parseLong(text));
        }
    }

    private static boolean isMilliseconds(long value) {
        return value >= 0 && value <= LAST_MILLISECOND;
    }
}
