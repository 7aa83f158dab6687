package weir.contender.grpc;

import com.example.grpc.EventServiceOuterClass.EntityUpdate;
import com.example.grpc.EventServiceOuterClass.EventHeader;
import com.example.grpc.EventServiceOuterClass.EventRequest;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;
import weir.contender.Event;
import weir.contender.Event.Entity;
import weir.contender.Event.Invalid;
import weir.contender.EventReader;

/** Messages in the form that REST has, so that one check serves both faces. */
final class Messages {

    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private Messages() {}

    static Event event(EventRequest request) {
        if (!request.hasEventHeader()) {
            throw new Invalid("eventHeader is required");
        }
        EventHeader header = request.getEventHeader();
        EventReader.checkHeader(
                header.getEventName(),
                NODES.stringNode(header.getCreatedDate()),
                NODES.stringNode(header.getSavedDate()));
        if (!request.hasEventBody()) {
            throw new Invalid("eventBody is required");
        }
        List<EntityUpdate> updates = request.getEventBody().getEntitiesList();
        if (updates.isEmpty()) {
            throw new Invalid("eventBody.entities must not be empty");
        }
        List<Entity> entities = new ArrayList<>(updates.size());
        for (int i = 0; i < updates.size(); i++) {
            EntityUpdate update = updates.get(i);
            entities.add(EventReader.entity(i, update.getEntityType(), update.getEntityId(), attributes(i, update)));
        }
        return new Event(entities);
    }

    /** The attributes as one JSON object: texts of field 3 first, then the typed ones of field 4. */
    private static JsonNode attributes(int index, EntityUpdate update) {
        JsonNode typed = null;
        if (!update.getAttributesJson().isEmpty()) {
            try {
                typed = EventReader.json(update.getAttributesJson().toByteArray());
            } catch (Invalid wrong) {
                throw new Invalid("eventBody.entities[" + index + "].attributesJson must be a JSON object");
            }
            if (!typed.isObject()) {
                throw new Invalid("eventBody.entities[" + index + "].attributesJson must be a JSON object");
            }
        }
        if (update.getUpdatedAttributesCount() == 0) {
            return typed;
        }
        ObjectNode all = NODES.objectNode();
        update.getUpdatedAttributesMap().forEach(all::put);
        if (typed instanceof ObjectNode object) {
            all.setAll(object);
        }
        return all;
    }
}
