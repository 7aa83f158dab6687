// The generator of events: sizes, determinism, and that both protocols say the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENT_TYPES, PAYLOAD_BYTES, grpcRequests, prepareTemplates, restBodies } from '../lib/events.js';
import { EventSource, grpcRequest, restBody } from '../shared/helpers.js';

const RUN_ID = '20261121T104205Z-3f9a-c001';
const PAYLOADS = ['default', ...Object.keys(PAYLOAD_BYTES)];
const families = EVENT_TYPES.map(({ family }) => family);

const base64 = (text) => Buffer.from(text).toString('base64');
const prepare = (payload, seed = '7', runId = RUN_ID) => prepareTemplates({ seed, runId, payload });
const source = (vu, seed = '7') => new EventSource({ seed, runId: RUN_ID, vu, families });

/** The first `count` events of a virtual user. */
function events(count, vu = 1, seed = '7') {
  const from = source(vu, seed);
  return Array.from({ length: count }, () => from.next());
}

for (const [payload, bytes] of Object.entries(PAYLOAD_BYTES)) {
  for (const runId of ['r', RUN_ID, 'x'.repeat(64)]) {
    test(`REST bodies of ${payload} have ${bytes} bytes within 1 %, run id of ${runId.length}`, () => {
      const bodies = restBodies(prepare(payload, '7', runId));
      for (const vu of [1, 2000]) {
        for (const type of EVENT_TYPES.keys()) {
          for (const n of [1, 250000]) {
            const entityId = `${families[type]}-${runId}-${vu}-${n}`;
            const body = restBody(bodies, { type, uuid: '00000000-0000-4000-8000-000000000000', entityId });
            const size = Buffer.byteLength(body);
            assert.ok(Math.abs(size - bytes) <= bytes / 100, `${EVENT_TYPES[type].name} has ${size}`);
          }
        }
      }
    });
  }
}

test('REST bodies of the default payload have the sizes of their types', () => {
  const bodies = restBodies(prepare('default'));
  for (const event of events(40)) {
    const { name, bytes } = EVENT_TYPES[event.type];
    const size = Buffer.byteLength(restBody(bodies, event));
    assert.ok(Math.abs(size - bytes) <= 10, `${name} has ${size}, not about ${bytes}`);
  }
});

for (const payload of PAYLOADS) {
  test(`REST and gRPC carry the same event, ${payload}`, () => {
    const templates = prepare(payload);
    const [bodies, requests] = [restBodies(templates), grpcRequests(templates, base64)];
    for (const event of events(8)) {
      const rest = JSON.parse(restBody(bodies, event));
      const grpc = grpcRequest(requests, event);
      const [entity] = grpc.event_body.entities;
      const attributes = Buffer.from(entity.attributes_json, 'base64').toString();
      assert.equal(base64(attributes), entity.attributes_json, 'one base64 text, not two joined');
      assert.deepEqual(rest, {
        eventHeader: {
          uuid: grpc.event_header.uuid,
          eventName: grpc.event_header.event_name,
          createdDate: grpc.event_header.created_date,
          savedDate: grpc.event_header.saved_date,
          eventType: grpc.event_header.event_type,
        },
        eventBody: {
          entities: [
            { entityType: entity.entity_type, entityId: entity.entity_id, updatedAttributes: JSON.parse(attributes) },
          ],
        },
      });
      assert.ok(restBody(bodies, event).includes(attributes), 'the same text');
    }
  });
}

test('each type carries its marker, and none of another type', () => {
  const bodies = restBodies(prepare('4k'));
  const markers = EVENT_TYPES.map(({ marker }) => marker);
  assert.equal(new Set(markers).size, 4);
  for (const event of events(4)) {
    const { updatedAttributes } = JSON.parse(restBody(bodies, event)).eventBody.entities[0];
    const present = markers.filter((marker) => marker in updatedAttributes);
    assert.deepEqual(present, [EVENT_TYPES[event.type].marker]);
    assert.equal(updatedAttributes[present[0]], RUN_ID);
  }
});

test('larger payloads hold the nested structures; payments belong to loans', () => {
  for (const payload of Object.keys(PAYLOAD_BYTES)) {
    const bodies = restBodies(prepare(payload));
    for (const event of events(4)) {
      const [{ entityType, updatedAttributes: a }] = JSON.parse(restBody(bodies, event)).eventBody.entities;
      assert.ok(a.owner.address.city && a.insurance.coverage && a.metadata.tags.length > 0);
      assert.ok(a.maintenanceHistory.length > 0 && a.serviceRecords.length > 0, payload);
      assert.equal(Boolean(a.paymentHistory?.length), entityType === 'Loan', payload);
      assert.ok(a.padding.length < PAYLOAD_BYTES[payload] / 6, `${payload}: padding of ${a.padding.length}`);
    }
  }
});

test('the same seed gives the same events, another seed others', () => {
  for (const payload of PAYLOADS) {
    assert.deepEqual(prepare(payload), prepare(payload));
    assert.notDeepEqual(prepare(payload), prepare(payload, '8'));
  }
  assert.deepEqual(events(1000), events(1000));
  const types = (seed, vu) => events(1000, vu, seed).map(({ type }) => type).join('');
  assert.notEqual(types('7', 1), types('8', 1));
  assert.notEqual(types('7', 1), types('7', 2));
});

test('types come in equal shares, in no fixed order', () => {
  const types = events(4000).map(({ type }) => type);
  const shares = [0, 0, 0, 0];
  types.forEach((type) => shares[type]++);
  assert.deepEqual(shares, [1000, 1000, 1000, 1000]);
  const decks = new Set();
  for (let i = 0; i < types.length; i += 4) {
    decks.add(types.slice(i, i + 4).join(''));
  }
  assert.equal(decks.size, 24, 'every order of the four types');
});

test('every event is one entity and marker; uuids are unique and well formed', () => {
  const pairs = new Set();
  const uuids = new Set();
  for (const vu of [1, 2, 11, 2000]) {
    for (const { type, entityId, uuid } of events(2000, vu)) {
      assert.match(entityId, new RegExp(`^${families[type]}-${RUN_ID}-${vu}-[1-9]\\d*$`));
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
      pairs.add(`${type}/${entityId}`);
      uuids.add(uuid);
    }
  }
  assert.equal(pairs.size, 8000);
  assert.equal(uuids.size, 8000);
});

test('cars and loans get an insert and a merge each', () => {
  const ids = events(400).map(({ entityId }) => entityId);
  assert.equal(new Set(ids).size, 200);
});

test('as a map of strings, gRPC carries the same attributes as texts', () => {
  for (const payload of PAYLOADS) {
    const templates = prepare(payload);
    const [bodies, requests] = [restBodies(templates), grpcRequests(templates, base64, 'map')];
    for (const event of events(8)) {
      const sent = JSON.parse(restBody(bodies, event)).eventBody.entities[0].updatedAttributes;
      const [entity] = grpcRequest(requests, event).event_body.entities;
      assert.equal(entity.attributes_json, undefined);
      assert.equal(entity.entity_id, event.entityId);
      assert.deepEqual(Object.keys(entity.updated_attributes), Object.keys(sent));
      for (const [name, value] of Object.entries(sent)) {
        const text = entity.updated_attributes[name];
        assert.deepEqual(typeof value === 'string' ? text : JSON.parse(text), value, name);
      }
    }
  }
});
