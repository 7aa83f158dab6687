package weir.contender;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import weir.contender.Event.Invalid;

class EventReaderTest {

    private static Event read(String header, String entities) {
        String text = "{\"eventHeader\":" + header + ",\"eventBody\":{\"entities\":" + entities + "}}";
        return EventReader.read(EventReader.json(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static final String HEADER = "{\"eventName\":\"CarCreated\"}";

    @Test
    void numbersKeepTheirExactValue() {
        String attributes = "{\"a\":12345678901234567890123,\"b\":1.10,\"c\":{\"d\":[true,null,\"x\"]}}";
        Event event = read(HEADER, "[{\"entityType\":\"Car\",\"entityId\":\"1\",\"updatedAttributes\":" + attributes + "}]");
        assertEquals(attributes, event.entities().get(0).attributes());
    }

    @Test
    void datesComeInAllForms() {
        String entity = "[{\"entityType\":\"Car\",\"entityId\":\"1\"}]";
        for (String date : new String[] {"null", "\"\"", "\"2024-01-15T10:30:00Z\"", "\"2024-01-15T10:30:00+02:00\"",
            "1705314605000", "\"1705314605000\""}) {
            read("{\"eventName\":\"n\",\"createdDate\":" + date + ",\"savedDate\":" + date + "}", entity);
        }
        for (String date : new String[] {"true", "-1", "1.5", "\"yesterday\"", "253402300800000"}) {
            Invalid wrong = assertThrows(Invalid.class, () -> read("{\"eventName\":\"n\",\"savedDate\":" + date + "}", entity));
            assertEquals("eventHeader.savedDate must be an RFC 3339 date or milliseconds since 1970", wrong.getMessage());
        }
    }

    @Test
    void theFirstFaultIsNamedByItsPath() {
        String[][] cases = {
            {"{}", "[]", "eventHeader.eventName must not be empty"},
            {HEADER, "[]", "eventBody.entities must not be empty"},
            {HEADER, "[{\"entityType\":\"Car\",\"entityId\":\"\"}]", "eventBody.entities[0].entityId must not be empty"},
            {HEADER, "[{\"entityType\":\"Car\",\"entityId\":\"1\",\"updatedAttributes\":null}]",
                "eventBody.entities[0].updatedAttributes must be a JSON object"},
            {HEADER, "[{\"entityType\":\"" + "x".repeat(256) + "\",\"entityId\":\"1\"}]",
                "eventBody.entities[0].entityType must be at most 255 characters"},
        };
        for (String[] one : cases) {
            Invalid wrong = assertThrows(Invalid.class, () -> read(one[0], one[1]));
            assertEquals(one[2], wrong.getMessage());
        }
    }
}
